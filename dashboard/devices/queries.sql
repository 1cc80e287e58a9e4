-- What the devices page asks. Every query runs in a session's transaction: row security keeps the scope.

-- name: troubled_devices
-- Devices that are silent, say that they are offline, were never heard, or run out of battery. Gateways have a
-- list of their own.
SELECT device.id, device.name, device.kind, device.power, site.id AS site_id, site.name AS site_name,
    resident.id AS resident_id, resident.name AS resident_name, room.name AS room_name,
    state.last_seen_at, state.online, state.battery, state.rssi, judged.silent, judged.battery_low, count(*) OVER () AS total
FROM care.device
JOIN care.device_silence AS silence ON silence.device_id = device.id
CROSS JOIN care.effective_policy AS policy
JOIN care.site ON site.id = device.site_id
LEFT JOIN LATERAL ( -- device by device: behind row security the planner takes a county for a few rows
    SELECT * FROM scoped.device_state AS one WHERE one.device_id = device.id OFFSET 0
) AS state ON true
LEFT JOIN care.device_assignment AS assignment
    ON assignment.device_id = device.id AND assignment.during @> now()
LEFT JOIN care.resident ON resident.id = assignment.resident_id
LEFT JOIN care.room ON room.id = assignment.room_id
CROSS JOIN LATERAL (
    SELECT coalesce(state.online IS FALSE OR state.last_seen_at <= now() - silence.silent_after, true) AS silent,
        coalesce(state.battery <= policy.battery_low_percent, false) AS battery_low
) AS judged
WHERE device.retired_at IS NULL AND device.kind <> 'gateway' AND (judged.silent OR judged.battery_low)
  AND (%(site_id)s::integer IS NULL OR device.site_id = %(site_id)s)
ORDER BY judged.silent DESC, state.last_seen_at NULLS FIRST, device.name
LIMIT %(limit)s;

-- name: unassigned_devices
-- Devices in use that watch nobody: their alarms have no name.
SELECT device.id, device.name, device.kind, site.id AS site_id, site.name AS site_name, proposal.label,
    state.last_seen_at, count(*) OVER () AS total
FROM care.device
JOIN care.site ON site.id = device.site_id
LEFT JOIN care.device_proposal AS proposal ON proposal.device_id = device.id
LEFT JOIN LATERAL ( -- device by device: behind row security the planner takes a county for a few rows
    SELECT * FROM scoped.device_state AS one WHERE one.device_id = device.id OFFSET 0
) AS state ON true
WHERE device.retired_at IS NULL AND device.kind NOT IN ('gateway', 'siren', 'patrol_tag', 'health_kiosk')
  AND NOT EXISTS (SELECT FROM care.device_assignment AS assignment
    WHERE assignment.device_id = device.id AND upper_inf(assignment.during))
  AND (%(site_id)s::integer IS NULL OR device.site_id = %(site_id)s)
  AND (%(device_id)s::integer IS NULL OR device.id = %(device_id)s)
ORDER BY state.last_seen_at DESC NULLS LAST, device.name
LIMIT %(limit)s;

-- name: dead_letter_counts
SELECT reason, count(*) AS total, count(*) FILTER (WHERE received_at > now() - interval '1 day') AS last_day,
    max(received_at) AS latest_at
FROM scoped.dead_letter
WHERE received_at > now() - interval '30 days'
GROUP BY reason ORDER BY total DESC, reason;

-- name: dead_letters
SELECT id, received_at, topic, payload, payload_bytes, reason, detail
FROM scoped.dead_letter
WHERE received_at > now() - interval '30 days'
ORDER BY received_at DESC LIMIT %(limit)s;
