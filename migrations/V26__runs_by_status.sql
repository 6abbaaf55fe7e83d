-- An emergency stop asks for the runs that go on, before it answers.
CREATE INDEX runs_by_status ON runs (status, id);
