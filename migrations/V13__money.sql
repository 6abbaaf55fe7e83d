-- Money: what every scope has spent and promised, and what each model call cost. All of it is the
-- journal's shadow.

-- One ledger a scope: a run, a task, an agent's day, the squad's day or month.
CREATE TABLE ledgers (
    scope TEXT NOT NULL,
    of    TEXT NOT NULL,
    body  TEXT NOT NULL,
    PRIMARY KEY (scope, of)
) STRICT, WITHOUT ROWID;

-- Caps that stand in no other row: the squad's, and all in tokens.
CREATE TABLE caps (
    scope TEXT NOT NULL,
    of    TEXT NOT NULL,
    body  TEXT NOT NULL,
    PRIMARY KEY (scope, of)
) STRICT, WITHOUT ROWID;

-- Promises; `open` ones count.
CREATE TABLE reservations (
    id   INTEGER PRIMARY KEY,
    run  INTEGER,
    call INTEGER,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    body TEXT    NOT NULL
) STRICT;
CREATE INDEX reservations_open_by_run ON reservations (run) WHERE open = 1;
CREATE INDEX reservations_open_by_call ON reservations (call) WHERE open = 1 AND call IS NOT NULL;
CREATE INDEX reservations_open ON reservations (id) WHERE open = 1;

-- How fast each run and agent spends.
CREATE TABLE paces (
    of   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Each model call, under the number of its event: what can be computed anew.
CREATE TABLE usages (
    seq          INTEGER PRIMARY KEY,
    day          TEXT    NOT NULL,
    run          INTEGER NOT NULL,
    agent        TEXT    NOT NULL,
    task         INTEGER,
    above        TEXT    NOT NULL,
    project      TEXT,
    model        TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    calls        INTEGER NOT NULL,
    cost_uusd    INTEGER NOT NULL,
    counted_uusd INTEGER NOT NULL,
    input        INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    cache_read   INTEGER NOT NULL,
    cache_write  INTEGER NOT NULL
) STRICT;
CREATE INDEX usages_by_day ON usages (day, seq);
CREATE INDEX usages_by_run ON usages (run);
CREATE INDEX usages_unpriced_by_task ON usages (task) WHERE state = 'unpriced';
CREATE INDEX usages_unpriced_by_agent ON usages (agent) WHERE state = 'unpriced';

-- The same, summed up by day: rollups read this and not every call. No task is 0, no project ''.
CREATE TABLE spend_days (
    day          TEXT    NOT NULL,
    agent        TEXT    NOT NULL,
    task         INTEGER NOT NULL,
    project      TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    calls        INTEGER NOT NULL,
    cost_uusd    INTEGER NOT NULL,
    counted_uusd INTEGER NOT NULL,
    input        INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    cache_read   INTEGER NOT NULL,
    cache_write  INTEGER NOT NULL,
    PRIMARY KEY (day, agent, task, project, model, state)
) STRICT, WITHOUT ROWID;

-- The task that a session worked on last.
CREATE TABLE session_tasks (
    agent   TEXT    NOT NULL,
    session TEXT    NOT NULL,
    task    INTEGER NOT NULL,
    PRIMARY KEY (agent, session)
) STRICT, WITHOUT ROWID;
