-- One resident. Every query runs in a session's transaction: row security keeps the scope.

-- name: resident
SELECT resident.*, site.name AS site_name, site.kind AS site_kind, site.address, site.village,
    site.township, site.phone AS site_phone, room.name AS room_name, bed.label AS bed_label
FROM care.resident
JOIN care.site ON site.id = resident.site_id
LEFT JOIN care.residence ON residence.resident_id = resident.id AND residence.during @> now()
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room ON room.id = bed.room_id
WHERE resident.id = %(resident_id)s;

-- name: latest
SELECT * FROM scoped.resident_state WHERE resident_id = %(resident_id)s;

-- name: devices
SELECT device.id, device.name, device.kind, device.model, device.power, lower(assignment.during) AS since,
    state.last_seen_at, state.online, state.battery
FROM care.device_assignment AS assignment
JOIN care.device ON device.id = assignment.device_id
LEFT JOIN scoped.device_state AS state ON state.device_id = device.id
WHERE assignment.resident_id = %(resident_id)s AND assignment.during @> now()
ORDER BY device.kind, device.name;

-- name: alarms
SELECT alarm.id, alarm.kind, alarm.priority, alarm.state, alarm.opened_at, alarm.acknowledged_at,
    alarm.ended_at
FROM care.alarm WHERE resident_id = %(resident_id)s
ORDER BY opened_at DESC LIMIT %(limit)s;

-- name: names
SELECT id, name FROM care.resident WHERE id = ANY (%(resident_ids)s::integer[]);

-- name: room_names
SELECT id, name FROM care.room WHERE id = ANY (%(room_ids)s::integer[]);

-- name: device_events
-- What the sensors of a device, or of those in a room, saw.
SELECT time, event, room_id FROM scoped.activity
WHERE device_id = ANY (%(device_ids)s::integer[]) AND time >= %(since)s AND time < %(until)s
ORDER BY time LIMIT %(limit)s;

-- name: room_devices
SELECT device_id FROM care.device_assignment
WHERE room_id = %(room_id)s AND during && tstzrange(%(since)s, %(until)s);

-- name: device_signs
SELECT time, hr, rr, spo2, temp, sbp, dbp, glucose, weight FROM scoped.vitals
WHERE device_id = %(device_id)s AND time >= %(since)s AND time < %(until)s
ORDER BY time LIMIT %(limit)s;

-- name: device_battery
SELECT time, battery FROM scoped.device_status
WHERE device_id = %(device_id)s AND battery IS NOT NULL AND time >= %(since)s AND time < %(until)s
ORDER BY time LIMIT %(limit)s;
