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
    {each sign: $_sum}, {each sign: $_count}, {each sign: $_min}, {each sign: $_max})
SELECT dirty.device_id, raw.resident_id, dirty.hour, count(*),
    {each sign: sum($::double precision)}, {each sign: count($)}, {each sign: min($)}, {each sign: max($)}
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
    {each sign: $_sum = excluded.$_sum, $_count = excluded.$_count, $_min = excluded.$_min, $_max = excluded.$_max}
WHERE (stored.row_count,
       {each sign: stored.$_sum, stored.$_count, stored.$_min, stored.$_max})
   IS DISTINCT FROM
      (excluded.row_count,
       {each sign: excluded.$_sum, excluded.$_count, excluded.$_min, excluded.$_max})
RETURNING resident_id, hour;

-- name: vitals_joined
-- Rows of nobody go where the readings have found their person since.
DELETE FROM readings.vitals_hourly AS stored
USING unnest(%(device_ids)s::integer[], %(hours)s::timestamptz[]) AS dirty (device_id, hour)
WHERE stored.resident_id IS NULL AND stored.device_id = dirty.device_id AND stored.hour = dirty.hour
  AND stored.hour >= %(begin)s AND stored.hour < %(end)s
  AND NOT EXISTS (
    SELECT FROM readings.vitals
    WHERE vitals.device_id = dirty.device_id AND vitals.resident_id IS NULL
      AND time >= dirty.hour AND time < dirty.hour + interval '1 hour' AND time >= %(begin)s AND time < %(end)s);

-- name: activity_joined
DELETE FROM readings.activity_hourly AS stored
USING unnest(%(device_ids)s::integer[], %(hours)s::timestamptz[]) AS dirty (device_id, hour)
WHERE stored.resident_id IS NULL AND stored.room_id IS NULL
  AND stored.device_id = dirty.device_id AND stored.hour = dirty.hour
  AND stored.hour >= %(begin)s AND stored.hour < %(end)s
  AND NOT EXISTS (
    SELECT FROM readings.activity
    WHERE activity.device_id = dirty.device_id AND activity.event = stored.event
      AND activity.resident_id IS NULL AND activity.room_id IS NULL
      AND time >= dirty.hour AND time < dirty.hour + interval '1 hour' AND time >= %(begin)s AND time < %(end)s);

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
    {each sign: $_sum}, {each sign: $_count}, {each sign: $_min}, {each sign: $_max})
SELECT changed.resident_id, changed.day, sum(row_count),
    {each sign: sum($_sum)}, {each sign: sum($_count)}, {each sign: min($_min)}, {each sign: max($_max)}
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
    {each sign: $_sum = excluded.$_sum, $_count = excluded.$_count, $_min = excluded.$_min, $_max = excluded.$_max};
