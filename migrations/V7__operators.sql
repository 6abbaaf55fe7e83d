-- Who governs, as the journal last heard of it: what is compared when the files are read again.
CREATE TABLE operators (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
