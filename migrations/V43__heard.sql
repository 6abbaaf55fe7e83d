-- Each task that an agent creates asks how many open ones of it there are.
CREATE INDEX tasks_open_by_creator ON tasks (body ->> '$.created_by.name')
    WHERE state NOT IN ('done', 'canceled');

-- When each agent was last heard of, as of a minute ago: a daemon that begins anew goes on from it. No
-- part of the record: it proves nothing, and nothing follows from it but what is shown.
CREATE TABLE heard (
    agent TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
