-- A call is a retry of the newest one of its run with the same tool and arguments.
CREATE INDEX tool_calls_alike ON tool_calls
    (run, json_extract(body, '$.tool'), json_extract(body, '$.arguments_sha256'))
    WHERE run IS NOT NULL;
