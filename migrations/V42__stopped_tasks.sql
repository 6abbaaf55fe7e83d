-- What an emergency stop holds, a row a task: a stop and its end work through it bit by bit.
-- 'open': to be blocked; 'blocked': by the stop; 'back': to be moved back. `ordered` is the event that
-- asked for it, 0 where nothing is asked.
CREATE TABLE stopped_tasks (
    task    INTEGER PRIMARY KEY,
    origin  TEXT NOT NULL,
    phase   TEXT NOT NULL CHECK (phase IN ('open', 'blocked', 'back')),
    ordered INTEGER NOT NULL
) STRICT;
CREATE INDEX stopped_tasks_by_phase ON stopped_tasks (phase, task);

INSERT INTO stopped_tasks (task, origin, phase, ordered)
SELECT CAST(substr(row.value ->> '$.task', 3) AS INTEGER), row.value ->> '$.from', 'blocked', 0
FROM squad, json_each(squad.body, '$.stopped') AS row;
UPDATE squad SET body = json_remove(body, '$.stopped');
