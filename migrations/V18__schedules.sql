-- What creates tasks again and again, and which occurrence each of those was created for: one
-- occurrence has one task, however often clocks are set back.
CREATE TABLE task_schedules (
    id      INTEGER PRIMARY KEY,
    status  TEXT    NOT NULL,
    next_ms INTEGER,
    body    TEXT    NOT NULL
) STRICT;
CREATE INDEX task_schedules_due ON task_schedules (next_ms) WHERE next_ms IS NOT NULL;

CREATE TABLE occurrences (
    schedule INTEGER NOT NULL,
    due_ms   INTEGER NOT NULL,
    task     INTEGER NOT NULL,
    PRIMARY KEY (schedule, due_ms)
) STRICT, WITHOUT ROWID;
