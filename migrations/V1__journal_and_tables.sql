-- The journal is the truth. Every table below it, but `blobs` and `answers`, is its shadow and can
-- be rebuilt from it. `body` is the entity as JSON; the columns beside it are what queries need.

CREATE TABLE journal (
    seq   INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind  TEXT    NOT NULL,
    task  INTEGER,
    body  TEXT    NOT NULL,
    hash  BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX journal_by_task ON journal (task, seq) WHERE task IS NOT NULL;

CREATE TABLE tasks (
    id       INTEGER PRIMARY KEY,
    state    TEXT    NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
    parent   INTEGER,
    body     TEXT    NOT NULL
) STRICT;
CREATE INDEX tasks_by_state ON tasks (state, id);
CREATE INDEX tasks_by_parent ON tasks (parent, id) WHERE parent IS NOT NULL;

CREATE TABLE task_assignees (
    agent TEXT    NOT NULL,
    task  INTEGER NOT NULL,
    PRIMARY KEY (agent, task)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_assignees_by_task ON task_assignees (task);

CREATE TABLE agents (
    name   TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE adapters (
    name    TEXT PRIMARY KEY,
    runtime TEXT NOT NULL,
    agents  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A token's owner is an agent or an adapter; names of the two never collide.
CREATE TABLE tokens (
    sha256        TEXT PRIMARY KEY CHECK (length(sha256) = 64),
    name          TEXT NOT NULL,
    good_until_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_name ON tokens (name);

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    agent       TEXT NOT NULL,
    task        INTEGER,
    status      TEXT NOT NULL,
    external_id TEXT,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_agent ON runs (agent, id);
CREATE INDEX runs_by_task ON runs (task, id) WHERE task IS NOT NULL;
CREATE INDEX runs_by_external_id ON runs (agent, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX runs_that_go_on ON runs (agent) WHERE status = 'running';

CREATE TABLE tool_calls (
    id     INTEGER PRIMARY KEY,
    agent  TEXT NOT NULL,
    task   INTEGER,
    run    INTEGER,
    status TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX tool_calls_by_agent ON tool_calls (agent, id);
CREATE INDEX tool_calls_by_task ON tool_calls (task, id) WHERE task IS NOT NULL;
CREATE INDEX tool_calls_by_run ON tool_calls (run, id) WHERE run IS NOT NULL;

CREATE TABLE approvals (
    id         INTEGER PRIMARY KEY,
    status     TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    task       INTEGER,
    rule       TEXT    NOT NULL,
    call_key   TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    used       INTEGER NOT NULL CHECK (used IN (0, 1)),
    body       TEXT    NOT NULL
) STRICT;
CREATE INDEX approvals_by_status ON approvals (status, expires_ms);
CREATE INDEX approvals_by_task ON approvals (task, id) WHERE task IS NOT NULL;
CREATE INDEX approvals_by_rule ON approvals (rule, status);
CREATE INDEX approvals_unused ON approvals (agent, call_key) WHERE used = 0;

CREATE TABLE messages (
    id   INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    body TEXT    NOT NULL
) STRICT;
CREATE INDEX messages_by_task ON messages (task, id);

CREATE TABLE artifacts (
    task INTEGER NOT NULL,
    name TEXT    NOT NULL,
    body TEXT    NOT NULL,
    PRIMARY KEY (task, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
    id     INTEGER PRIMARY KEY,
    status TEXT NOT NULL,
    kind   TEXT NOT NULL,
    agent  TEXT,
    task   INTEGER,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_status ON alerts (status, id);
CREATE INDEX alerts_by_task ON alerts (task, id) WHERE task IS NOT NULL;

CREATE TABLE notifications (
    id        INTEGER PRIMARY KEY,
    recipient TEXT    NOT NULL,
    acked     INTEGER NOT NULL CHECK (acked IN (0, 1)),
    body      TEXT    NOT NULL
) STRICT;
CREATE INDEX notifications_by_recipient ON notifications (recipient, acked, id);

CREATE TABLE squad (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;

CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    body    TEXT NOT NULL
) STRICT;

-- Contents of artifacts, by the hash that their event names.
CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64),
    text   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- First answers to idempotency keys, kept for a day at least.
CREATE TABLE answers (
    actor       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    body_sha256 TEXT    NOT NULL,
    answer      TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (at_ms);
