-- Queries of ingest/rollups.py. `begin` and `end` bound one UTC day, as in settle.sql.

-- name: take
-- Marks that are due. They go first, and raw data is read by later statements: see ingest/rollups.py.
DELETE FROM readings.dirty_hour USING (
    SELECT ctid FROM readings.dirty_hour WHERE due_at <= coalesce(%(due)s, clock_timestamp())
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS due
WHERE dirty_hour.ctid = due.ctid
RETURNING source, device_id, hour;

-- name: dropped
-- Whether the raw data of a time is gone: then its rollups stand as they are.
SELECT EXISTS (SELECT FROM readings.raw_chunk WHERE source = %(source)s AND dropped_at IS NOT NULL
    AND begins_at < %(end)s AND ends_at > %(begin)s) AS dropped;

-- name: vitals
-- Every row that the hours now have; returns those that changed.
INSERT INTO readings.vitals_hourly AS stored (device_id, resident_id, hour, row_count,
    hr_sum, rr_sum, spo2_sum, temp_sum, sbp_sum, dbp_sum, glucose_sum, weight_sum,
    hr_count, rr_count, spo2_count, temp_count, sbp_count, dbp_count, glucose_count, weight_count,
    hr_min, rr_min, spo2_min, temp_min, sbp_min, dbp_min, glucose_min, weight_min,
    hr_max, rr_max, spo2_max, temp_max, sbp_max, dbp_max, glucose_max, weight_max)
SELECT dirty.device_id, raw.resident_id, dirty.hour, count(*),
    sum(hr::double precision), sum(rr::double precision), sum(spo2::double precision),
    sum(temp::double precision), sum(sbp::double precision), sum(dbp::double precision),
    sum(glucose::double precision), sum(weight::double precision),
    count(hr), count(rr), count(spo2), count(temp), count(sbp), count(dbp), count(glucose), count(weight),
    min(hr), min(rr), min(spo2), min(temp), min(sbp), min(dbp), min(glucose), min(weight),
    max(hr), max(rr), max(spo2), max(temp), max(sbp), max(dbp), max(glucose), max(weight)
FROM unnest(%(device_ids)s::integer[], %(hours)s::timestamptz[]) AS dirty (device_id, hour)
CROSS JOIN LATERAL (
    SELECT * FROM readings.vitals
    WHERE vitals.device_id = dirty.device_id
      AND time >= dirty.hour AND time < dirty.hour + interval '1 hour'
      AND time >= %(begin)s AND time < %(end)s
    OFFSET 0
) AS raw
GROUP BY dirty.device_id, raw.resident_id, dirty.hour
ON CONFLICT (resident_id, hour, device_id) DO UPDATE SET row_count = excluded.row_count,
    hr_sum = excluded.hr_sum, hr_count = excluded.hr_count, hr_min = excluded.hr_min, hr_max = excluded.hr_max,
    rr_sum = excluded.rr_sum, rr_count = excluded.rr_count, rr_min = excluded.rr_min, rr_max = excluded.rr_max,
    spo2_sum = excluded.spo2_sum, spo2_count = excluded.spo2_count, spo2_min = excluded.spo2_min, spo2_max = excluded.spo2_max,
    temp_sum = excluded.temp_sum, temp_count = excluded.temp_count, temp_min = excluded.temp_min, temp_max = excluded.temp_max,
    sbp_sum = excluded.sbp_sum, sbp_count = excluded.sbp_count, sbp_min = excluded.sbp_min, sbp_max = excluded.sbp_max,
    dbp_sum = excluded.dbp_sum, dbp_count = excluded.dbp_count, dbp_min = excluded.dbp_min, dbp_max = excluded.dbp_max,
    glucose_sum = excluded.glucose_sum, glucose_count = excluded.glucose_count, glucose_min = excluded.glucose_min, glucose_max = excluded.glucose_max,
    weight_sum = excluded.weight_sum, weight_count = excluded.weight_count, weight_min = excluded.weight_min, weight_max = excluded.weight_max
WHERE (stored.row_count,
       stored.hr_sum, stored.hr_count, stored.hr_min, stored.hr_max,
       stored.rr_sum, stored.rr_count, stored.rr_min, stored.rr_max,
       stored.spo2_sum, stored.spo2_count, stored.spo2_min, stored.spo2_max,
       stored.temp_sum, stored.temp_count, stored.temp_min, stored.temp_max,
       stored.sbp_sum, stored.sbp_count, stored.sbp_min, stored.sbp_max,
       stored.dbp_sum, stored.dbp_count, stored.dbp_min, stored.dbp_max,
       stored.glucose_sum, stored.glucose_count, stored.glucose_min, stored.glucose_max,
       stored.weight_sum, stored.weight_count, stored.weight_min, stored.weight_max)
   IS DISTINCT FROM
      (excluded.row_count,
       excluded.hr_sum, excluded.hr_count, excluded.hr_min, excluded.hr_max,
       excluded.rr_sum, excluded.rr_count, excluded.rr_min, excluded.rr_max,
       excluded.spo2_sum, excluded.spo2_count, excluded.spo2_min, excluded.spo2_max,
       excluded.temp_sum, excluded.temp_count, excluded.temp_min, excluded.temp_max,
       excluded.sbp_sum, excluded.sbp_count, excluded.sbp_min, excluded.sbp_max,
       excluded.dbp_sum, excluded.dbp_count, excluded.dbp_min, excluded.dbp_max,
       excluded.glucose_sum, excluded.glucose_count, excluded.glucose_min, excluded.glucose_max,
       excluded.weight_sum, excluded.weight_count, excluded.weight_min, excluded.weight_max)
RETURNING resident_id, hour;

-- name: activity
INSERT INTO readings.activity_hourly AS stored
    (device_id, hour, event, resident_id, room_id, event_count, first_at, last_at)
SELECT dirty.device_id, dirty.hour, raw.event, raw.resident_id, raw.room_id, count(*), min(raw.time), max(raw.time)
FROM unnest(%(device_ids)s::integer[], %(hours)s::timestamptz[]) AS dirty (device_id, hour)
CROSS JOIN LATERAL (
    SELECT * FROM readings.activity
    WHERE activity.device_id = dirty.device_id
      AND time >= dirty.hour AND time < dirty.hour + interval '1 hour'
      AND time >= %(begin)s AND time < %(end)s
    OFFSET 0
) AS raw
GROUP BY dirty.device_id, dirty.hour, raw.event, raw.resident_id, raw.room_id
ON CONFLICT (device_id, hour, event, resident_id, room_id) DO UPDATE SET event_count = excluded.event_count,
    first_at = excluded.first_at, last_at = excluded.last_at
WHERE (stored.event_count, stored.first_at, stored.last_at)
   IS DISTINCT FROM (excluded.event_count, excluded.first_at, excluded.last_at);

-- name: daily
-- Days in Asia/Shanghai, from their hours.
INSERT INTO readings.vitals_daily AS stored (resident_id, day, row_count,
    hr_sum, rr_sum, spo2_sum, temp_sum, sbp_sum, dbp_sum, glucose_sum, weight_sum,
    hr_count, rr_count, spo2_count, temp_count, sbp_count, dbp_count, glucose_count, weight_count,
    hr_min, rr_min, spo2_min, temp_min, sbp_min, dbp_min, glucose_min, weight_min,
    hr_max, rr_max, spo2_max, temp_max, sbp_max, dbp_max, glucose_max, weight_max)
SELECT changed.resident_id, changed.day, sum(row_count),
    sum(hr_sum), sum(rr_sum), sum(spo2_sum), sum(temp_sum), sum(sbp_sum), sum(dbp_sum), sum(glucose_sum), sum(weight_sum),
    sum(hr_count), sum(rr_count), sum(spo2_count), sum(temp_count), sum(sbp_count), sum(dbp_count), sum(glucose_count), sum(weight_count),
    min(hr_min), min(rr_min), min(spo2_min), min(temp_min), min(sbp_min), min(dbp_min), min(glucose_min), min(weight_min),
    max(hr_max), max(rr_max), max(spo2_max), max(temp_max), max(sbp_max), max(dbp_max), max(glucose_max), max(weight_max)
FROM unnest(%(resident_ids)s::integer[], %(days)s::date[]) AS changed (resident_id, day)
CROSS JOIN LATERAL (
    SELECT * FROM readings.vitals_hourly
    WHERE vitals_hourly.resident_id = changed.resident_id
      AND hour >= changed.day::timestamp AT TIME ZONE 'Asia/Shanghai'
      AND hour < (changed.day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
      AND hour >= %(begin)s AND hour < %(end)s
    OFFSET 0
) AS hourly
GROUP BY changed.resident_id, changed.day
ORDER BY changed.resident_id, changed.day
ON CONFLICT (resident_id, day) DO UPDATE SET row_count = excluded.row_count,
    hr_sum = excluded.hr_sum, hr_count = excluded.hr_count, hr_min = excluded.hr_min, hr_max = excluded.hr_max,
    rr_sum = excluded.rr_sum, rr_count = excluded.rr_count, rr_min = excluded.rr_min, rr_max = excluded.rr_max,
    spo2_sum = excluded.spo2_sum, spo2_count = excluded.spo2_count, spo2_min = excluded.spo2_min, spo2_max = excluded.spo2_max,
    temp_sum = excluded.temp_sum, temp_count = excluded.temp_count, temp_min = excluded.temp_min, temp_max = excluded.temp_max,
    sbp_sum = excluded.sbp_sum, sbp_count = excluded.sbp_count, sbp_min = excluded.sbp_min, sbp_max = excluded.sbp_max,
    dbp_sum = excluded.dbp_sum, dbp_count = excluded.dbp_count, dbp_min = excluded.dbp_min, dbp_max = excluded.dbp_max,
    glucose_sum = excluded.glucose_sum, glucose_count = excluded.glucose_count, glucose_min = excluded.glucose_min, glucose_max = excluded.glucose_max,
    weight_sum = excluded.weight_sum, weight_count = excluded.weight_count, weight_min = excluded.weight_min, weight_max = excluded.weight_max;
