-- Rules of assignment look at the most urgent tasks of the Inbox first.
CREATE INDEX tasks_in_inbox ON tasks (priority, id) WHERE state = 'inbox';

-- What the journal knew already and no row did: which tasks a person took back to the Inbox, and since
-- when a task waits for no other.
UPDATE tasks SET body = json_set(body, '$.put_back', json('true'))
WHERE id IN (SELECT task FROM journal
             WHERE kind = 'task_moved' AND body ->> '$.actor.kind' = 'human'
             AND body ->> '$.event.from' = 'assigned' AND body ->> '$.event.to' = 'inbox');

UPDATE tasks SET body = json_set(tasks.body, '$.promoted_at', said.at)
FROM (SELECT task, max(seq), body ->> '$.at' AS at FROM journal
      WHERE kind = 'message_posted' AND body ->> '$.event.message.author.kind' = 'system'
      AND body ->> '$.event.message.author.name' = 'dependencies'
      GROUP BY task) AS said
WHERE tasks.id = said.task;
