-- When the next reminder of a waiting approval is due; null when none is.
ALTER TABLE approvals ADD COLUMN remind_ms INTEGER;
CREATE INDEX approvals_by_reminder ON approvals (remind_ms) WHERE remind_ms IS NOT NULL;
