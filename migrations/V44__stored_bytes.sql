-- How much was stored of each agent on the newest day that anything was.
CREATE TABLE stored_bytes (
    agent TEXT PRIMARY KEY,
    day TEXT NOT NULL,
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
