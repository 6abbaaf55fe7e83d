-- With every question that an agent takes back its questions before are looked at.
CREATE INDEX approvals_by_agent ON approvals (agent, id);
