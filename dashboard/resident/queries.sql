-- What a resident's page asks. Every query runs in a session's transaction: row security keeps the scope.

-- name: latest
SELECT * FROM scoped.resident_state WHERE resident_id = %(resident_id)s;

-- name: devices
SELECT device.id, device.name, device.kind, device.model, device.power, lower(assignment.during) AS since,
    state.last_seen_at, state.battery,
    coalesce(state.online IS NOT FALSE AND state.last_seen_at > now() - silence.silent_after, false) AS live
FROM care.device_assignment AS assignment
JOIN care.device ON device.id = assignment.device_id
JOIN care.device_silence AS silence ON silence.device_id = device.id
LEFT JOIN LATERAL ( -- device by device: behind row security the planner takes a county for a few rows
    SELECT * FROM scoped.device_state AS one WHERE one.device_id = device.id OFFSET 0
) AS state ON true
WHERE assignment.resident_id = %(resident_id)s AND assignment.during @> now()
ORDER BY device.kind, device.name;

-- name: alarms
SELECT alarm.id, alarm.kind, alarm.priority, alarm.state, alarm.opened_at, alarm.acknowledged_at,
    alarm.ended_at
FROM care.alarm WHERE resident_id = %(resident_id)s
ORDER BY opened_at DESC LIMIT %(limit)s;
