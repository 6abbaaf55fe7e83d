-- How the costs of a task and of an agent are known is looked up for every state, not only for what
-- has no price.
DROP INDEX IF EXISTS usages_unpriced_by_task;
DROP INDEX IF EXISTS usages_unpriced_by_agent;
CREATE INDEX IF NOT EXISTS usages_by_task ON usages (task, state) WHERE task IS NOT NULL;
CREATE INDEX IF NOT EXISTS usages_by_agent ON usages (agent, state);

-- Rows that said only whether something has no price say how all of it is known: the least certain.
CREATE TEMP TABLE doubts (state TEXT PRIMARY KEY, doubt INTEGER NOT NULL);
INSERT INTO doubts VALUES
    ('free', 0), ('subscription', 1), ('reported', 2), ('derived', 3), ('unpriced', 4);
UPDATE tasks SET body = json_set(json_remove(body, '$.unpriced'), '$.cost_state', known.state)
FROM (SELECT task, state, max(doubt) FROM spend_days JOIN doubts USING (state)
      WHERE calls > 0 GROUP BY task) AS known
WHERE tasks.id = known.task;
UPDATE agents SET body = json_set(json_remove(body, '$.unpriced'), '$.cost_state', known.state)
FROM (SELECT agent, state, max(doubt) FROM spend_days JOIN doubts USING (state)
      WHERE calls > 0 GROUP BY agent) AS known
WHERE agents.name = known.agent;
DROP TABLE doubts;
