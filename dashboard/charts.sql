-- What charts read besides history. Every query runs in a session's transaction: row security keeps the scope.

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
SELECT time, {each sign: $} FROM scoped.vitals
WHERE device_id = %(device_id)s AND time >= %(since)s AND time < %(until)s
ORDER BY time LIMIT %(limit)s;

-- name: device_battery
SELECT time, battery FROM scoped.device_status
WHERE device_id = %(device_id)s AND battery IS NOT NULL AND time >= %(since)s AND time < %(until)s
ORDER BY time LIMIT %(limit)s;
