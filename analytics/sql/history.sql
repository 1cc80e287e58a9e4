-- Queries of analytics/history.py. Hypertables have no index on time alone (it would cost ingest dear), so a window
-- is read device by device along the primary key; OFFSET 0 keeps the planner to it.

-- name: residents
-- Everybody who lives somewhere now.
SELECT resident.id AS resident_id, resident.site_id, site.kind::text AS site_kind,
    resident.spo2_scale, resident.on_oxygen, resident.category::text AS category,
    NOT resident.can_get_in_and_out_of_bed AS cannot_turn
FROM care.resident JOIN care.site ON site.id = resident.site_id
WHERE resident.left_on IS NULL OR resident.left_on > (%(now)s AT TIME ZONE 'Asia/Shanghai')::date
ORDER BY resident.id;

-- name: devices
-- Devices in use, and those retired whose offline alarm still stands.
SELECT device.id AS device_id, device.site_id, device.name, device.kind, device.power::text AS power,
    device.retired_at IS NOT NULL AS retired,
    greatest(device.added_at, state.last_seen_at) AS seen_at, state.last_seen_at IS NOT NULL AS ever_seen,
    extract(epoch FROM silence.silent_after)::int AS silent_after_s, watched.room_id, room.name AS room
FROM care.device
JOIN care.device_silence AS silence ON silence.device_id = device.id
LEFT JOIN readings.device_state AS state ON state.device_id = device.id
LEFT JOIN care.device_assignment AS watched ON watched.device_id = device.id AND watched.during @> %(now)s
LEFT JOIN care.room ON room.id = watched.room_id
WHERE device.added_at <= %(now)s AND (device.retired_at IS NULL OR EXISTS (
    SELECT FROM care.alarm WHERE alarm.subject = 'device:' || device.id
    AND alarm.kind = 'device_offline' AND care.is_active(alarm.state)))
ORDER BY device.id;

-- name: vitals
-- Sets of signs in a window, and of each device the last few before it, for those that speak seldom; with
-- whether the instrument is one that somebody uses on purpose.
SELECT vitals.time, vitals.resident_id, (device.kind = ANY (%(on_demand)s))::int AS spot,
    coalesce(rr, 'NaN') AS rr, coalesce(spo2, 'NaN') AS spo2, coalesce(sbp, 'NaN') AS sbp,
    coalesce(hr, 'NaN') AS hr, coalesce(temp, 'NaN') AS temp
FROM care.device CROSS JOIN LATERAL (
    (SELECT * FROM readings.vitals
     WHERE vitals.device_id = device.id AND vitals.time > %(window_begin)s AND vitals.time <= %(now)s OFFSET 0)
    UNION ALL
    (SELECT * FROM readings.vitals
     WHERE vitals.device_id = device.id AND vitals.time > %(begin)s AND vitals.time <= %(window_begin)s
     ORDER BY vitals.time DESC LIMIT %(before_count)s)
) AS vitals
WHERE vitals.resident_id IS NOT NULL AND num_nonnulls(rr, spo2, sbp, hr, temp) > 0;

-- name: latest_signs
-- The latest of each sign; -infinity where there is none.
SELECT resident_id,
    coalesce(rr, 'NaN') AS rr, coalesce(rr_at, '-infinity') AS rr_at,
    coalesce(spo2, 'NaN') AS spo2, coalesce(spo2_at, '-infinity') AS spo2_at,
    coalesce(sbp, 'NaN') AS sbp, coalesce(sbp_at, '-infinity') AS sbp_at,
    coalesce(hr, 'NaN') AS hr, coalesce(hr_at, '-infinity') AS hr_at,
    coalesce(temp, 'NaN') AS temp, coalesce(temp_at, '-infinity') AS temp_at
FROM readings.resident_state;

-- name: life_signs
-- For each resident and each device that shows what this resident does: the last thing that it saw.
-- Bounded by constants alone, so that chunks that are too old are left out once and not again for each device.
SELECT shown.resident_id, shown.device_id, device.kind AS device_kind, shown.since,
    last.time, last.event, room.kind::text AS room_kind, room.name AS room
FROM analytics.observers(%(now)s) AS shown
JOIN care.device ON device.id = shown.device_id
LEFT JOIN LATERAL (
    SELECT activity.time, activity.event, activity.room_id FROM readings.activity
    WHERE activity.device_id = shown.device_id
      AND activity.time > %(begin)s AND activity.time <= %(now)s
      AND activity.event <> ALL (%(not_of_the_person)s)
    ORDER BY activity.time DESC LIMIT 1
) AS last ON last.time > shown.since
LEFT JOIN care.device_assignment AS place
    ON place.device_id = shown.device_id AND place.during @> %(now)s
LEFT JOIN care.room ON room.id = coalesce(last.room_id, place.room_id)
ORDER BY shown.resident_id, shown.device_id;

-- name: measurements
-- When a resident was last measured with an instrument that somebody uses on purpose: that too is a sign of life.
SELECT vitals.resident_id, max(vitals.time) AS time
FROM care.device CROSS JOIN LATERAL (
    SELECT * FROM readings.vitals
    WHERE vitals.device_id = device.id AND vitals.time > %(begin)s AND vitals.time <= %(now)s OFFSET 0
) AS vitals
WHERE device.kind = ANY (%(on_demand)s) AND vitals.resident_id IS NOT NULL
GROUP BY vitals.resident_id ORDER BY vitals.resident_id;

-- name: spot_readings
-- Pressure and pulse that somebody measured on purpose, in a window.
SELECT vitals.resident_id, vitals.time,
    coalesce(sbp, 'NaN') AS sbp, coalesce(dbp, 'NaN') AS dbp, coalesce(hr, 'NaN') AS hr
FROM care.device CROSS JOIN LATERAL (
    SELECT * FROM readings.vitals
    WHERE vitals.device_id = device.id AND vitals.time > %(begin)s AND vitals.time <= %(now)s OFFSET 0
) AS vitals
WHERE device.kind = ANY (%(on_demand)s) AND vitals.resident_id IS NOT NULL AND num_nonnulls(sbp, dbp, hr) > 0;

-- name: beds
-- Who was last seen in bed or out of it.
SELECT resident_id, in_bed, in_bed_at FROM readings.resident_state
WHERE in_bed IS NOT NULL AND in_bed_at <= %(now)s ORDER BY resident_id;

-- name: visits
-- When staff last came to each resident because of an alarm: one that still stands, or ended since.
SELECT resident_id, max(arrived_at) AS visited_at FROM (
    SELECT resident_id, arrived_at FROM care.alarm WHERE NOT care.is_ended(state)
    UNION ALL
    SELECT resident_id, arrived_at FROM care.alarm WHERE ended_at > %(begin)s
) AS alarm
WHERE resident_id IS NOT NULL AND arrived_at > %(begin)s AND arrived_at <= %(now)s
GROUP BY resident_id ORDER BY resident_id;

-- name: record_pulse
-- Devices whose last word is of this minute or the one before were heard now.
INSERT INTO analytics.pulse (at, heard)
SELECT date_trunc('minute', %(now)s::timestamptz, 'UTC'), count(*)
FROM readings.device_state
WHERE last_seen_at > %(now)s - make_interval(secs => %(heard_s)s)
ON CONFLICT (at) DO UPDATE SET heard = greatest(pulse.heard, excluded.heard);

-- name: forget_pulses
DELETE FROM analytics.pulse WHERE at < %(before)s;

-- name: pulses
SELECT at, heard FROM analytics.pulse WHERE at > %(begin)s AND at <= %(now)s ORDER BY at;

-- name: site_outages
-- The last time that a whole site was silent, by its alarm; it ended at the latest when somebody went there.
SELECT site.id AS site_id, outage.raised_at AS began_at,
    least(outage.arrived_at, outage.resolved_at, outage.ended_at) AS ended_at
FROM care.site CROSS JOIN LATERAL (
    SELECT * FROM care.alarm
    WHERE alarm.site_id = site.id AND alarm.subject = 'site:' || site.id AND alarm.kind = 'device_offline'
      AND alarm.opened_at > %(begin)s
    ORDER BY alarm.opened_at DESC LIMIT 1
) AS outage;

-- name: standing_alarms
-- Alarms that have not ended, or did lately.
SELECT id, site_id, subject, kind, priority::text, state::text, detector, resolved_at, ended_at,
    condition_ended_at, evidence ->> 'grade' AS grade,
    CASE WHEN jsonb_typeof(evidence -> 'score') = 'number' THEN (evidence ->> 'score')::double precision END AS severity
FROM care.alarm
WHERE kind = ANY (%(kinds)s) AND NOT care.is_ended(state)
UNION ALL
SELECT id, site_id, subject, kind, priority::text, state::text, detector, resolved_at, ended_at,
    condition_ended_at, evidence ->> 'grade' AS grade,
    CASE WHEN jsonb_typeof(evidence -> 'score') = 'number' THEN (evidence ->> 'score')::double precision END AS severity
FROM care.alarm
WHERE kind = ANY (%(kinds)s) AND ended_at > %(ended_after)s
ORDER BY id;

-- name: vitals_hours
-- The mean of each sign by resident and whole hour, over all their devices.
SELECT hour, resident_id,
    coalesce(sum(hr_sum) / nullif(sum(hr_count), 0), 'NaN')::real AS hr,
    coalesce(sum(rr_sum) / nullif(sum(rr_count), 0), 'NaN')::real AS rr,
    coalesce(sum(spo2_sum) / nullif(sum(spo2_count), 0), 'NaN')::real AS spo2,
    coalesce(sum(temp_sum) / nullif(sum(temp_count), 0), 'NaN')::real AS temp,
    coalesce(sum(sbp_sum) / nullif(sum(sbp_count), 0), 'NaN')::real AS sbp,
    coalesce(sum(weight_sum) / nullif(sum(weight_count), 0), 'NaN')::real AS weight
FROM readings.vitals_hourly
WHERE resident_id BETWEEN %(first_id)s AND %(last_id)s AND hour >= %(begin)s AND hour < %(end)s
GROUP BY resident_id, hour;

-- name: activity_hours
-- What was seen of each resident by whole hour: first and last, and the last in a bathroom or on the way out.
SELECT hour, min(first_at) AS first_at, max(last_at) AS last_at,
    coalesce(max(last_at) FILTER (WHERE room.kind = 'bathroom'), '-infinity') AS bathroom_at,
    coalesce(max(last_at) FILTER (WHERE event = ANY (%(leaving)s)), '-infinity') AS leaving_at,
    coalesce(max(last_at) FILTER (WHERE event = 'in_bed'), '-infinity') AS in_bed_at,
    shown.resident_id
FROM analytics.observers(%(now)s) AS shown
CROSS JOIN LATERAL (
    SELECT * FROM readings.activity_hourly AS seen
    WHERE seen.device_id = shown.device_id AND seen.hour >= %(begin)s AND seen.hour >= shown.since AND seen.hour < %(end)s
      AND seen.event <> ALL (%(not_of_the_person)s) OFFSET 0
) AS seen
LEFT JOIN care.room ON room.id = seen.room_id
WHERE shown.resident_id BETWEEN %(first_id)s AND %(last_id)s
GROUP BY shown.resident_id, hour;

-- name: habits
-- What each resident did by day from 18:00 to 18:00, named after the day that it ends on, so that no night is cut.
SELECT ((seen.hour AT TIME ZONE 'Asia/Shanghai') + interval '6 hours')::date - date '2000-01-01' AS day,
    shown.resident_id,
    coalesce(sum(event_count) FILTER (WHERE event = 'out_of_bed' AND at.night), 0)::real AS night_out_of_bed,
    coalesce(sum(event_count) FILTER (WHERE event IN ('motion', 'presence') AND room.kind = 'bathroom' AND at.night), 0)::real
        AS night_bathroom,
    coalesce(sum(event_count) FILTER (WHERE event IN ('motion', 'presence') AND room.kind = 'bathroom' AND NOT at.night), 0)::real
        AS day_bathroom,
    coalesce(sum(event_count) FILTER (WHERE event = 'motion' AND room.kind = 'bedroom' AND NOT at.night), 0)::real
        AS day_bedroom,
    coalesce(sum(event_count) FILTER (WHERE event = 'motion' AND room.kind = 'kitchen'), 0)::real AS kitchen,
    coalesce(sum(event_count) FILTER (WHERE event = 'motion' AND room.kind = 'living_room'), 0)::real AS living_room,
    coalesce(sum(event_count) FILTER (WHERE event = 'door_open'), 0)::real AS doors,
    coalesce(sum(event_count) FILTER (WHERE event = 'turned'), 0)::real AS turns,
    coalesce(sum(event_count) FILTER (WHERE event = 'in_bed' AND NOT at.night), 0)::real AS day_bed,
    coalesce(sum(event_count) FILTER (WHERE event IN ('meal', 'check_in')), 0)::real AS meals,
    count(DISTINCT seen.hour)::real AS active_hours
FROM analytics.observers(%(now)s) AS shown
CROSS JOIN LATERAL (
    SELECT * FROM readings.activity_hourly AS seen
    WHERE seen.device_id = shown.device_id AND seen.hour >= %(begin)s AND seen.hour >= shown.since AND seen.hour < %(end)s
      AND seen.event <> ALL (%(not_of_the_person)s) OFFSET 0
) AS seen
CROSS JOIN LATERAL (
    SELECT extract(hour FROM seen.hour AT TIME ZONE 'Asia/Shanghai') NOT BETWEEN 6 AND 21 AS night
) AS at
LEFT JOIN care.room ON room.id = seen.room_id
WHERE shown.resident_id BETWEEN %(first_id)s AND %(last_id)s
GROUP BY shown.resident_id, 1;

-- name: room_events
-- What moved in which room, of people who live alone in a household where enough rooms are watched; at most so many
-- people, spread over all. A door is a place of its own beside its room. Behind row security the planner takes everything
-- for a single row, and would ask who watches whom anew for each person: so each part is made once.
WITH shown AS MATERIALIZED (
    SELECT resident_id, device_id, since FROM analytics.observers(%(now)s)
), alone AS MATERIALIZED (
    SELECT min(resident.id) AS resident_id
    FROM care.resident JOIN care.site ON site.id = resident.site_id
    WHERE site.kind = 'household' AND (resident.left_on IS NULL OR resident.left_on > (%(now)s AT TIME ZONE 'Asia/Shanghai')::date)
    GROUP BY resident.site_id HAVING count(*) = 1
), watched AS MATERIALIZED (
    SELECT shown.resident_id, shown.device_id, shown.since, place.room_id
    FROM shown
    JOIN alone ON alone.resident_id = shown.resident_id
    JOIN care.device ON device.id = shown.device_id AND device.kind = ANY (%(sensors)s)
    JOIN care.device_assignment AS place ON place.device_id = shown.device_id AND place.during @> %(now)s
    WHERE place.room_id IS NOT NULL
), home AS (
    SELECT resident_id, row_number() OVER (ORDER BY resident_id) AS number, count(*) OVER () AS homes
    FROM watched GROUP BY resident_id HAVING count(DISTINCT room_id) >= %(rooms_min)s
)
SELECT seen.time, watched.resident_id, 2 * watched.room_id + (seen.event = 'door_open')::int AS place
FROM home
JOIN watched ON watched.resident_id = home.resident_id
CROSS JOIN LATERAL (
    SELECT time, event FROM readings.activity
    WHERE activity.device_id = watched.device_id AND activity.time >= %(begin)s AND activity.time < %(end)s
      AND activity.event = ANY (%(moving)s) OFFSET 0
) AS seen
WHERE home.resident_id BETWEEN %(first_id)s AND %(last_id)s AND seen.time >= watched.since
  AND home.number %% greatest(1, (home.homes + %(people_max)s - 1) / %(people_max)s) = 0;

-- name: bed_days
-- Readings of respiration by the same days: only a mattress takes them, while somebody lies in it.
SELECT ((hour AT TIME ZONE 'Asia/Shanghai') + interval '6 hours')::date - date '2000-01-01' AS day, resident_id,
    sum(rr_count)::real AS in_bed
FROM readings.vitals_hourly
WHERE resident_id BETWEEN %(first_id)s AND %(last_id)s AND hour >= %(begin)s AND hour < %(end)s
GROUP BY resident_id, 1 HAVING sum(rr_count) > 0;

-- name: anomalies
-- Times of residents that no baseline learns from: from a day before an alarm to its end, unless it was a mistake.
SELECT resident_id, raised_at - interval '1 day' AS begins_at,
    least(coalesce(condition_ended_at, ended_at, %(now)s), %(now)s) AS ends_at
FROM care.alarm
WHERE kind = ANY (%(kinds)s) AND resident_id IS NOT NULL AND state <> 'cancelled'
  AND raised_at <= %(now)s AND coalesce(ended_at, %(now)s) > %(begin)s
ORDER BY resident_id, raised_at;

-- name: falls
-- Active alarms of falls that a device has raised lately, each with the one person who can have fallen, if known.
SELECT alarm.id AS alarm_id, alarm.site_id, alarm.subject, alarm.device_id, alarm.raised_at,
    coalesce(alarm.resident_id, alone.resident_id) AS resident_id,
    device.kind AS device_kind, coalesce(alarm.room_id, watched.room_id) AS room_id
FROM care.alarm
LEFT JOIN LATERAL (
    SELECT min(resident.id) AS resident_id FROM care.resident JOIN care.site ON site.id = resident.site_id
    WHERE resident.site_id = alarm.site_id AND site.kind = 'household' AND resident.left_on IS NULL
    HAVING count(*) = 1
) AS alone ON true
LEFT JOIN LATERAL (
    SELECT signal.device_id FROM care.alarm_signal AS signal WHERE signal.alarm_id = alarm.id
    ORDER BY signal.time LIMIT 1
) AS spoke ON true
LEFT JOIN care.device ON device.id = coalesce(alarm.device_id, spoke.device_id)
LEFT JOIN care.device_assignment AS watched ON watched.device_id = device.id AND watched.during @> %(now)s
WHERE alarm.kind = 'fall' AND alarm.state IN ('open', 'acknowledged') AND alarm.source = 'device'
  AND alarm.raised_at > %(begin)s AND alarm.raised_at <= %(now)s
ORDER BY alarm.id;

-- name: after_falls
-- What the sensors around each of these alarms saw since: the person's own, and those of the same room.
SELECT fallen.alarm_id, seen.time, seen.event, seen.room_id
FROM unnest(%(alarm_ids)s::bigint[], %(resident_ids)s::int[], %(room_ids)s::int[], %(raised_at)s::timestamptz[])
    AS fallen (alarm_id, resident_id, room_id, raised_at)
CROSS JOIN LATERAL (
    SELECT device_id FROM analytics.observers(%(now)s) AS shown WHERE shown.resident_id = fallen.resident_id
    UNION
    SELECT device_id FROM care.device_assignment AS place
    WHERE place.room_id = fallen.room_id AND place.during @> %(now)s
) AS near
CROSS JOIN LATERAL (
    SELECT activity.time, activity.event, activity.room_id FROM readings.activity
    WHERE activity.device_id = near.device_id AND activity.time > fallen.raised_at AND activity.time <= %(now)s
      AND activity.event <> ALL (%(not_of_the_person)s)
    ORDER BY activity.time LIMIT 50
) AS seen
ORDER BY fallen.alarm_id, seen.time, seen.event;

-- name: device_hours
-- Means, extremes and counts of three signs by device and hour, where the device tells of one person.
SELECT hour, device_id, resident_id,
    hr_count, spo2_count, temp_count,
    coalesce(hr_sum / nullif(hr_count, 0), 'NaN')::real AS hr, coalesce(hr_min, 'NaN') AS hr_min, coalesce(hr_max, 'NaN') AS hr_max,
    coalesce(spo2_sum / nullif(spo2_count, 0), 'NaN')::real AS spo2, coalesce(spo2_min, 'NaN') AS spo2_min,
    coalesce(spo2_max, 'NaN') AS spo2_max,
    coalesce(temp_sum / nullif(temp_count, 0), 'NaN')::real AS temp, coalesce(temp_min, 'NaN') AS temp_min,
    coalesce(temp_max, 'NaN') AS temp_max
FROM readings.vitals_hourly
WHERE resident_id BETWEEN %(first_id)s AND %(last_id)s AND hour >= %(begin)s AND hour < %(end)s
ORDER BY resident_id, hour, device_id;

-- name: refusals
-- How many messages of each device were refused because a value was outside its physical limits.
SELECT device_id, count(*)::int AS refused FROM readings.dead_letter
WHERE received_at > %(begin)s AND received_at <= %(now)s AND device_id IS NOT NULL AND reason = ANY (%(reasons)s)
GROUP BY device_id ORDER BY device_id;

-- name: clocks
-- Statuses of each device whose time had to be replaced, in the last day and before; few devices have any, and an
-- index of their own finds them.
WITH wrong AS (
    SELECT DISTINCT status.device_id FROM readings.device_status AS status
    JOIN care.device ON device.id = status.device_id
    WHERE status.clock_replaced AND status.time > %(begin)s AND status.time <= %(now)s AND device.retired_at IS NULL
)
SELECT device_id,
    count(*) FILTER (WHERE time > %(recent)s)::int AS recent, count(*) FILTER (WHERE time > %(recent)s AND clock_replaced)::int AS recent_wrong,
    count(*) FILTER (WHERE time <= %(recent)s)::int AS before, count(*) FILTER (WHERE time <= %(recent)s AND clock_replaced)::int AS before_wrong
FROM wrong CROSS JOIN LATERAL (
    SELECT time, clock_replaced FROM readings.device_status AS status
    WHERE status.device_id = wrong.device_id AND status.time > %(begin)s AND status.time <= %(now)s OFFSET 0
) AS status
GROUP BY device_id ORDER BY device_id;

-- name: batteries
-- The lowest level of each battery by day.
SELECT time_bucket('1 day', status.time, 'Asia/Shanghai') AS day, device.id AS device_id, min(status.battery)::int AS battery
FROM care.device CROSS JOIN LATERAL (
    SELECT time, battery FROM readings.device_status AS status
    WHERE status.device_id = device.id AND status.time > %(begin)s AND status.time <= %(now)s AND status.battery IS NOT NULL
    OFFSET 0
) AS status
WHERE device.retired_at IS NULL AND device.power = 'battery'
GROUP BY device.id, 1;

-- name: presses
-- How often each button was pressed, and how many different hours of the day that were in.
SELECT signal.device_id, count(*)::int AS presses, min(signal.time) AS first_at, max(signal.time) AS last_at,
    count(*) FILTER (WHERE alarm.state = 'cancelled')::int AS cancelled, max(state.battery)::int AS battery
FROM care.alarm_signal AS signal
LEFT JOIN care.alarm ON alarm.id = signal.alarm_id
LEFT JOIN readings.device_state AS state ON state.device_id = signal.device_id
WHERE signal.kind = 'sos' AND signal.state = 'raised' AND signal.time > %(begin)s AND signal.time <= %(now)s
GROUP BY signal.device_id ORDER BY signal.device_id;

-- name: last_signs
-- When each resident last gave a sign of their own, and last lay in their bed, by whole days of history.
SELECT resident.id AS resident_id, resident.site_id, resident.category::text AS category,
    coalesce(lower(residence.during), resident.admitted_on::timestamp AT TIME ZONE 'Asia/Shanghai') AS since,
    (SELECT max(seen.last_at) FROM analytics.observers(%(now)s) AS shown
     JOIN readings.activity_hourly AS seen ON seen.device_id = shown.device_id
     WHERE shown.resident_id = resident.id AND seen.hour >= %(begin)s AND seen.last_at <= %(now)s
       AND seen.event <> ALL (%(not_of_the_person)s)) AS active_at,
    (SELECT max(hour) FROM readings.vitals_hourly
     WHERE vitals_hourly.resident_id = resident.id AND hour >= %(begin)s AND hour < %(now)s) AS measured_at
FROM care.resident
LEFT JOIN care.residence ON residence.resident_id = resident.id AND residence.during @> %(now)s
WHERE resident.id BETWEEN %(first_id)s AND %(last_id)s AND resident.left_on IS NULL
ORDER BY resident.id;

-- name: detector_settings
SELECT resident_id, detector, is_on, off_until, tolerance, active_from_h, active_to_h FROM care.detector_setting
ORDER BY resident_id, detector;

-- name: runs
SELECT detector, at FROM analytics.run WHERE at <= %(now)s ORDER BY detector;

-- name: record_run
INSERT INTO analytics.run (detector, at) VALUES (%(detector)s, %(now)s)
ON CONFLICT (detector) DO UPDATE SET at = greatest(run.at, excluded.at);
