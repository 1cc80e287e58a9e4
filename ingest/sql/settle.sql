-- Queries of ingest/settle.py. `begin` and `end` are constants that bound one UTC day, so that the planner looks at
-- that day's chunk only; OFFSET 0 keeps it to one descent of the primary key for each device and hour.

-- name: note
INSERT INTO readings.unsettled (source, device_ids, from_s) VALUES (%(source)s, %(device_ids)s, %(from_s)s);

-- name: take
-- The oldest notes, with how many devices and hours each names.
SELECT id, cardinality(device_ids) AS pairs FROM readings.unsettled
ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED;

-- name: gather
-- What the notes name, each device and hour once, by UTC day.
SELECT source, from_s / 86400 AS day, array_agg(device_id ORDER BY device_id, from_s) AS device_ids,
    array_agg(from_s ORDER BY device_id, from_s) AS from_s
FROM (
    SELECT source, pair.device_id, min(pair.from_s) AS from_s
    FROM readings.unsettled
    CROSS JOIN LATERAL unnest(unsettled.device_ids, unsettled.from_s) AS pair (device_id, from_s)
    WHERE id = ANY (%(ids)s)
    GROUP BY source, pair.device_id, pair.from_s / 3600
) AS pairs
GROUP BY source, from_s / 86400 ORDER BY source, day;

-- name: forget
DELETE FROM readings.unsettled WHERE id = ANY (%(ids)s);

-- name: vitals_state
-- The newest of each sign among the touched rows, where it is newer than what is known.
INSERT INTO readings.resident_state AS stored (resident_id, {each sign: $, $_at})
SELECT resident_id,
        {each sign: last($, time) FILTER (WHERE $ IS NOT NULL) AS $, max(time) FILTER (WHERE $ IS NOT NULL) AS $_at}
    FROM unnest(%(device_ids)s::integer[], %(from_s)s::integer[]) AS pair (device_id, from_s)
    CROSS JOIN LATERAL (
        SELECT * FROM readings.vitals
        WHERE vitals.device_id = pair.device_id
          AND time >= to_timestamp(946684800 + pair.from_s)
          AND time < to_timestamp(946684800 + (pair.from_s / 3600 + 1) * 3600)
          AND time >= %(begin)s AND time < %(end)s
        OFFSET 0
    ) AS touched
    WHERE resident_id IS NOT NULL
    GROUP BY resident_id ORDER BY resident_id
ON CONFLICT (resident_id) DO UPDATE SET
    {each sign: $ = CASE WHEN excluded.$_at > coalesce(stored.$_at, '-infinity') THEN excluded.$ ELSE stored.$ END,
    $_at = greatest(stored.$_at, excluded.$_at)}
WHERE {any sign: excluded.$_at > coalesce(stored.$_at, '-infinity')};

-- name: activity_state
INSERT INTO readings.resident_state AS stored (resident_id, activity, activity_room_id, activity_at, in_bed, in_bed_at)
SELECT resident_id, last(event, time), last(room_id, time), max(time),
        last(event = 'in_bed', time) FILTER (WHERE event IN ('in_bed', 'out_of_bed')),
        max(time) FILTER (WHERE event IN ('in_bed', 'out_of_bed'))
    FROM unnest(%(device_ids)s::integer[], %(from_s)s::integer[]) AS pair (device_id, from_s)
    CROSS JOIN LATERAL (
        SELECT * FROM readings.activity
        WHERE activity.device_id = pair.device_id
          AND time >= to_timestamp(946684800 + pair.from_s)
          AND time < to_timestamp(946684800 + (pair.from_s / 3600 + 1) * 3600)
          AND time >= %(begin)s AND time < %(end)s
        OFFSET 0
    ) AS touched
    WHERE resident_id IS NOT NULL
    GROUP BY resident_id ORDER BY resident_id
ON CONFLICT (resident_id) DO UPDATE SET
    activity = CASE WHEN excluded.activity_at > coalesce(stored.activity_at, '-infinity')
        THEN excluded.activity ELSE stored.activity END,
    activity_room_id = CASE WHEN excluded.activity_at > coalesce(stored.activity_at, '-infinity')
        THEN excluded.activity_room_id ELSE stored.activity_room_id END,
    activity_at = greatest(stored.activity_at, excluded.activity_at),
    in_bed = CASE WHEN excluded.in_bed_at > coalesce(stored.in_bed_at, '-infinity')
        THEN excluded.in_bed ELSE stored.in_bed END,
    in_bed_at = greatest(stored.in_bed_at, excluded.in_bed_at)
WHERE excluded.activity_at > coalesce(stored.activity_at, '-infinity')
   OR excluded.in_bed_at > coalesce(stored.in_bed_at, '-infinity');

-- name: mark_dirty
-- An hour that still runs is rolled up now and then, and once it is over; a mark that is there keeps its time.
INSERT INTO readings.dirty_hour (source, device_id, hour, due_at)
SELECT %(source)s, device_id, hour, CASE
    WHEN hour + interval '1 hour' <= now() THEN now() + make_interval(secs => %(delay_s)s)
    ELSE least(hour + interval '1 hour' + make_interval(secs => %(delay_s)s),
               now() + make_interval(secs => %(running_hour_s)s))
    END
FROM (
    SELECT device_id, to_timestamp(946684800 + from_s / 3600 * 3600) AS hour
    FROM unnest(%(device_ids)s::integer[], %(from_s)s::integer[]) AS pair (device_id, from_s)
) AS touched
ORDER BY device_id, hour
ON CONFLICT DO NOTHING;

-- name: backlog
-- How far derived data is behind, for the metrics.
SELECT
    (SELECT count(*) FROM readings.unsettled) AS unsettled,
    (SELECT extract(epoch FROM clock_timestamp() - min(noted_at)) FROM readings.unsettled)::float AS unsettled_age_s,
    (SELECT count(*) FROM readings.dirty_hour) AS dirty_hours,
    (SELECT extract(epoch FROM clock_timestamp() - min(due_at)) FROM readings.dirty_hour
     WHERE due_at < clock_timestamp())::float AS overdue_s,
    (SELECT count(*) FROM readings.raw_chunk WHERE dropped_at IS NULL) AS kept_chunks,
    (SELECT coalesce(sum(late_row_count), 0)::bigint FROM readings.raw_chunk) AS late_rows_dropped;
