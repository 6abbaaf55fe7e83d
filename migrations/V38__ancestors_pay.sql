-- A sub-agent's cost counts in the days of the agents above it. What was recorded before named none.
ALTER TABLE usages ADD COLUMN ancestors TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(ancestors));
