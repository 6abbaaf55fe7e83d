-- The promise of a tool call is looked up however it stands: a human may have released it before the
-- call ends.
DROP INDEX reservations_open_by_call;
CREATE INDEX reservations_by_call ON reservations (call) WHERE call IS NOT NULL;

-- Where the budget day stands; a restart goes on from it. The journal's shadow.
CREATE TABLE budget_day (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT    NOT NULL
) STRICT;
