-- Where notices to people go. `outbox` holds what is not put together yet, `deliveries` what is.
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    sink         TEXT    NOT NULL,
    notification INTEGER NOT NULL,
    urgent       INTEGER NOT NULL CHECK (urgent IN (0, 1)),
    due_ms       INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    PRIMARY KEY (sink, notification)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY,
    sink       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    failures   INTEGER NOT NULL,
    next_ms    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (sink, next_ms) WHERE status = 'waiting';
CREATE INDEX deliveries_by_sink ON deliveries (sink, id);
