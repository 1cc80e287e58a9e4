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

-- name: watching_devices
-- The devices that watched a resident in a span of time; in an own home also those of its rooms.
SELECT DISTINCT assignment.device_id FROM care.device_assignment AS assignment
WHERE during && tstzrange(%(since)s, %(until)s)
  AND (assignment.resident_id = %(resident_id)s OR assignment.room_id IN (
      SELECT room.id FROM care.room
      JOIN care.site ON site.id = room.site_id AND site.kind = 'household'
      JOIN care.resident ON resident.site_id = site.id AND resident.id = %(resident_id)s));

-- name: vitals
-- The devices are given as values, because by device and time the readings are indexed.
SELECT time, hr, rr, spo2, temp, sbp, dbp, glucose
FROM scoped.vitals
WHERE device_id = ANY (%(device_ids)s) AND resident_id = %(resident_id)s
  AND time >= %(since)s AND time < %(until)s
ORDER BY time
LIMIT %(limit)s;

-- name: activity
-- A sensor of a room names no resident.
SELECT activity.time, activity.event, room.name AS room_name
FROM scoped.activity
LEFT JOIN care.room ON room.id = activity.room_id
WHERE activity.device_id = ANY (%(device_ids)s)
  AND (activity.resident_id = %(resident_id)s OR activity.resident_id IS NULL)
  AND activity.time >= %(since)s AND activity.time < %(until)s
ORDER BY activity.time
LIMIT %(limit)s;
