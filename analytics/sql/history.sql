-- Queries of analytics/history.py. Hypertables have no index on time alone (it would cost ingest dear), so a window
-- is read device by device along the primary key; OFFSET 0 keeps the planner to it.

-- name: residents
-- Everybody who lives somewhere now.
SELECT resident.id AS resident_id, resident.site_id, site.kind::text AS site_kind,
    resident.spo2_scale, resident.on_oxygen
FROM care.resident JOIN care.site ON site.id = resident.site_id
WHERE resident.left_on IS NULL OR resident.left_on > (%(now)s AT TIME ZONE 'Asia/Shanghai')::date
ORDER BY resident.id;

-- name: devices
-- Devices in use, and those retired whose offline alarm still stands.
SELECT device.id AS device_id, device.site_id, device.name, device.kind, device.power::text AS power,
    device.retired_at IS NOT NULL AS retired,
    greatest(device.added_at, state.last_seen_at) AS seen_at, state.last_seen_at IS NOT NULL AS ever_seen,
    watched.room_id, room.name AS room
FROM care.device
LEFT JOIN readings.device_state AS state ON state.device_id = device.id
LEFT JOIN care.device_assignment AS watched ON watched.device_id = device.id AND watched.during @> %(now)s
LEFT JOIN care.room ON room.id = watched.room_id
WHERE device.added_at <= %(now)s AND (device.retired_at IS NULL OR EXISTS (
    SELECT FROM care.alarm WHERE alarm.subject = 'device:' || device.id
    AND alarm.kind = 'device_offline' AND alarm.state IN ('open', 'acknowledged', 'arrived')))
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
-- For each resident and each device that shows what this resident does: the last thing that it saw. A device
-- shows it when it is assigned to them, when it is in a room of their own household, or in a room of a home in
-- which nobody else sleeps.
WITH sleeper AS (
    SELECT bed.room_id, min(residence.resident_id) AS resident_id
    FROM care.residence JOIN care.bed ON bed.id = residence.bed_id
    WHERE residence.during @> %(now)s
    GROUP BY bed.room_id HAVING count(*) = 1
), home AS (
    SELECT residence.resident_id, lower(residence.during) AS since FROM care.residence
    WHERE residence.during @> %(now)s
), shown AS (
    SELECT assignment.device_id, assignment.resident_id, lower(assignment.during) AS since
    FROM care.device_assignment AS assignment
    WHERE assignment.during @> %(now)s AND assignment.resident_id IS NOT NULL
    UNION ALL
    SELECT assignment.device_id, resident.id, lower(assignment.during)
    FROM care.device_assignment AS assignment
    JOIN care.room ON room.id = assignment.room_id
    JOIN care.site ON site.id = room.site_id
    JOIN care.resident ON resident.site_id = site.id
    WHERE assignment.during @> %(now)s AND (site.kind = 'household'
        OR EXISTS (SELECT FROM sleeper WHERE sleeper.room_id = room.id AND sleeper.resident_id = resident.id))
)
SELECT shown.resident_id, shown.device_id, device.kind AS device_kind, greatest(shown.since, home.since) AS since,
    last.time, last.event, room.kind::text AS room_kind, room.name AS room
FROM shown
JOIN care.device ON device.id = shown.device_id AND device.retired_at IS NULL
LEFT JOIN home ON home.resident_id = shown.resident_id
LEFT JOIN LATERAL (
    SELECT activity.time, activity.event, activity.room_id FROM readings.activity
    WHERE activity.device_id = shown.device_id
      AND activity.time > greatest(%(begin)s, shown.since) AND activity.time <= %(now)s
      AND activity.event <> ALL (%(not_of_the_person)s)
    ORDER BY activity.time DESC LIMIT 1
) AS last ON true
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

-- name: beds
-- Who was last seen in bed or out of it.
SELECT resident_id, in_bed, in_bed_at FROM readings.resident_state
WHERE in_bed IS NOT NULL AND in_bed_at <= %(now)s ORDER BY resident_id;

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
SELECT id, site_id, subject, kind, priority::text, state::text, detector, resolved_at, ended_at FROM care.alarm
WHERE kind = ANY (%(kinds)s) AND state NOT IN ('closed', 'cancelled', 'cleared')
UNION ALL
SELECT id, site_id, subject, kind, priority::text, state::text, detector, resolved_at, ended_at FROM care.alarm
WHERE kind = ANY (%(kinds)s) AND ended_at > %(ended_after)s
ORDER BY id;
