-- A runtime's second question names a call by the runtime's own id.
ALTER TABLE tool_calls ADD COLUMN external_id TEXT;
CREATE INDEX tool_calls_by_external_id ON tool_calls (run, external_id)
    WHERE external_id IS NOT NULL;
