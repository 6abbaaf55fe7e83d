-- A yes to anything but a call has done its work the moment it is said: no stop and no time ends it.
UPDATE approvals SET used = 1
WHERE status = 'approved' AND json_extract(body, '$.kind') <> 'tool_call';
