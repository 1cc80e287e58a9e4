-- Queries of care/trends.py. `{readings}` is the schema that the connection may read: `scoped` in a session's
-- transaction, `readings` for our own services. Hypertables are asked by the leading columns of their keys and with
-- times that are constants: the planner then looks at the chunks of that time only, and finds the rows by index.

-- name: site_latest
SELECT resident.id AS resident_id, {each sign: state.$, state.$_at},
    state.activity, state.activity_at, state.activity_room_id,
    state.in_bed, state.in_bed_at
FROM care.resident LEFT JOIN {readings}.resident_state AS state ON state.resident_id = resident.id
WHERE resident.site_id = %(site_id)s AND resident.left_on IS NULL
ORDER BY resident.id;

-- name: devices_of
-- Every device that can have spoken of the resident in that time: their own, and those of rooms they lived in.
SELECT device_id FROM care.device_assignment
WHERE resident_id = %(resident_id)s AND during && tstzrange(%(since)s, %(until)s)
UNION
SELECT assignment.device_id
FROM care.residence
LEFT JOIN care.bed ON bed.id = residence.bed_id
JOIN care.site ON site.id = residence.site_id
JOIN care.room ON room.id = bed.room_id OR (site.kind = 'household' AND room.site_id = site.id)
JOIN care.device_assignment AS assignment
    ON assignment.room_id = room.id AND assignment.during && tstzrange(%(since)s, %(until)s)
WHERE residence.resident_id = %(resident_id)s;

-- name: vitals
SELECT time, {each sign: $}
FROM {readings}.vitals
WHERE device_id = ANY (%(device_ids)s::integer[]) AND resident_id = %(resident_id)s
  AND time >= %(since)s AND time < %(until)s
ORDER BY time
LIMIT %(limit)s;

-- name: activity
SELECT time, event, room_id
FROM {readings}.activity
WHERE device_id = ANY (%(device_ids)s::integer[])
  AND (resident_id = %(resident_id)s OR (resident_id IS NULL AND %(with_rooms)s))
  AND time >= %(since)s AND time < %(until)s
ORDER BY time
LIMIT %(limit)s;

-- name: hours
SELECT hour AS time,
    {each sign: sum($_sum) / nullif(sum($_count), 0) AS $, min($_min) AS $_min, max($_max) AS $_max}
FROM {readings}.vitals_hourly
WHERE resident_id = %(resident_id)s AND hour >= %(since)s AND hour < %(until)s
GROUP BY hour ORDER BY hour;

-- name: days
SELECT day,
    {each sign: $_sum / nullif($_count, 0) AS $, $_min, $_max}
FROM {readings}.vitals_daily
WHERE resident_id = %(resident_id)s AND day >= %(since)s AND day < %(until)s
ORDER BY day;

-- name: activity_days
-- How often what happened on each day in Asia/Shanghai.
SELECT (hour AT TIME ZONE 'Asia/Shanghai')::date AS day, event, sum(event_count)::integer AS event_count,
    min(first_at) AS first_at, max(last_at) AS last_at
FROM {readings}.activity_hourly
WHERE device_id = ANY (%(device_ids)s::integer[])
  AND (resident_id = %(resident_id)s OR (resident_id IS NULL AND %(with_rooms)s))
  AND hour >= %(since)s AND hour < %(until)s
GROUP BY 1, event ORDER BY 1, event;
