-- What calls were judged by, masked, by the hash that their event names; for `policy.replay` only,
-- the oldest are forgotten. `upto` is how many bytes were kept in all up to and with the row.
CREATE TABLE inputs (
    upto   INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    body   TEXT NOT NULL
) STRICT;
