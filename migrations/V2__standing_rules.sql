-- Approvals that were remembered. `open` says that the rule was not revoked; its expiry and its
-- uses stand in the body.
CREATE TABLE standing_rules (
    id   INTEGER PRIMARY KEY,
    tool TEXT    NOT NULL,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    body TEXT    NOT NULL
) STRICT;
CREATE INDEX standing_rules_by_tool ON standing_rules (tool) WHERE open = 1;
