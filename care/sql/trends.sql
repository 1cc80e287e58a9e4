-- Queries of care/trends.py. `{readings}` is the schema that the connection may read: `scoped` in a session's
-- transaction, `readings` for our own services. Hypertables are asked by the leading columns of their keys and with
-- times that are constants: the planner then looks at the chunks of that time only, and finds the rows by index.

-- name: site_latest
SELECT resident.id AS resident_id, state.hr, state.hr_at, state.rr, state.rr_at, state.spo2, state.spo2_at,
    state.temp, state.temp_at, state.sbp, state.sbp_at, state.dbp, state.dbp_at, state.glucose, state.glucose_at,
    state.weight, state.weight_at, state.activity, state.activity_at, state.activity_room_id,
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
SELECT time, hr, rr, spo2, temp, sbp, dbp, glucose, weight
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
    sum(hr_sum) / nullif(sum(hr_count), 0) AS hr, min(hr_min) AS hr_min, max(hr_max) AS hr_max,
    sum(rr_sum) / nullif(sum(rr_count), 0) AS rr, min(rr_min) AS rr_min, max(rr_max) AS rr_max,
    sum(spo2_sum) / nullif(sum(spo2_count), 0) AS spo2, min(spo2_min) AS spo2_min, max(spo2_max) AS spo2_max,
    sum(temp_sum) / nullif(sum(temp_count), 0) AS temp, min(temp_min) AS temp_min, max(temp_max) AS temp_max,
    sum(sbp_sum) / nullif(sum(sbp_count), 0) AS sbp, min(sbp_min) AS sbp_min, max(sbp_max) AS sbp_max,
    sum(dbp_sum) / nullif(sum(dbp_count), 0) AS dbp, min(dbp_min) AS dbp_min, max(dbp_max) AS dbp_max,
    sum(glucose_sum) / nullif(sum(glucose_count), 0) AS glucose, min(glucose_min) AS glucose_min, max(glucose_max) AS glucose_max,
    sum(weight_sum) / nullif(sum(weight_count), 0) AS weight, min(weight_min) AS weight_min, max(weight_max) AS weight_max
FROM {readings}.vitals_hourly
WHERE resident_id = %(resident_id)s AND hour >= %(since)s AND hour < %(until)s
GROUP BY hour ORDER BY hour;

-- name: days
SELECT day,
    hr_sum / nullif(hr_count, 0) AS hr, hr_min, hr_max,
    rr_sum / nullif(rr_count, 0) AS rr, rr_min, rr_max,
    spo2_sum / nullif(spo2_count, 0) AS spo2, spo2_min, spo2_max,
    temp_sum / nullif(temp_count, 0) AS temp, temp_min, temp_max,
    sbp_sum / nullif(sbp_count, 0) AS sbp, sbp_min, sbp_max,
    dbp_sum / nullif(dbp_count, 0) AS dbp, dbp_min, dbp_max,
    glucose_sum / nullif(glucose_count, 0) AS glucose, glucose_min, glucose_max,
    weight_sum / nullif(weight_count, 0) AS weight, weight_min, weight_max
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
