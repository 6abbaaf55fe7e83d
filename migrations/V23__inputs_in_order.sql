-- What calls were judged by, in the order of the calls: a row is added at the end of the table, where
-- an index by hash wrote a page of its own for each. `upto` is how many bytes were kept in all up to
-- and with the row; that a row was not changed is told by the hash that the call's event names.
ALTER TABLE inputs RENAME TO inputs_by_hash;

CREATE TABLE inputs (
    call INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,
    body TEXT    NOT NULL
) STRICT;

INSERT INTO inputs (call, upto, body)
SELECT c.id, sum(octet_length(i.body)) OVER (ORDER BY c.id), i.body
FROM tool_calls c JOIN inputs_by_hash i ON i.sha256 = c.body ->> 'inputs_sha256'
ORDER BY c.id;

DROP TABLE inputs_by_hash;
