-- Loops are looked for with every call of an agent on a task, and with every question that it takes
-- back.
CREATE INDEX tool_calls_of_agent_on_task ON tool_calls (agent, task, id);
CREATE INDEX approvals_by_agent ON approvals (agent, id);
