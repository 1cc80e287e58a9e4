-- What the desk shows. Every query runs in a session's transaction: row security keeps the scope.

-- name: site_ids
SELECT id FROM care.site;

-- name: last_event
-- The newest line of any timeline in scope: what a live page has seen.
SELECT coalesce(max(id), 0) AS id FROM care.alarm_event
WHERE %(site_id)s::integer IS NULL OR site_id = %(site_id)s;

-- name: last_feedback
SELECT coalesce(max(id), 0) AS id FROM care.alarm_feedback
WHERE %(site_id)s::integer IS NULL OR site_id = %(site_id)s;

-- name: alarm_counts
-- For the bell that every page carries.
SELECT count(*) FILTER (WHERE state = 'open' AND priority = 'high') AS urgent,
    count(*) FILTER (WHERE state = 'open' AND priority = 'medium') AS medium,
    count(*) FILTER (WHERE state = 'open') AS open,
    count(*) FILTER (WHERE care.is_active(state)) AS active
FROM care.alarm
WHERE care.is_active(state)
  AND (%(site_id)s::integer IS NULL OR site_id = %(site_id)s);

-- name: silent_mains
-- Devices on mains power that are not heard: what they should raise does not arrive.
SELECT count(*) AS silent FROM care.device
JOIN care.device_silence AS silence ON silence.device_id = device.id
LEFT JOIN LATERAL ( -- device by device: behind row security the planner takes a county for a few rows
    SELECT * FROM scoped.device_state AS one WHERE one.device_id = device.id OFFSET 0
) AS state ON true
WHERE device.retired_at IS NULL AND device.power = 'mains'
  AND (%(site_id)s::integer IS NULL OR device.site_id = %(site_id)s)
  AND (state.online IS NOT DISTINCT FROM false OR state.last_seen_at IS NULL
    OR state.last_seen_at < now() - silence.silent_after);

-- name: ended_since
-- Alarms that began and ended while a page was cut off. Event numbers are given out before the commit,
-- so two transactions may appear in another order: the overlap takes in the ones that came late.
SELECT DISTINCT ON (alarm.id) alarm.id, alarm.kind, alarm.priority, alarm.state, alarm.opened_at,
    alarm.ended_at, resident.name AS resident_name, site.name AS site_name
FROM care.alarm_event
JOIN care.alarm ON alarm.id = alarm_event.alarm_id
JOIN care.site ON site.id = alarm.site_id
LEFT JOIN care.resident ON resident.id = alarm.resident_id
WHERE (alarm_event.id > %(after)s OR alarm_event.id > %(after)s - 100
    AND alarm_event.at > (SELECT last.at FROM care.alarm_event AS last WHERE last.id = %(after)s) - interval '10 s')
  AND (%(site_id)s::integer IS NULL OR alarm_event.site_id = %(site_id)s)
  AND alarm_event.step = 'raised' AND alarm.ended_at IS NOT NULL
  AND alarm.opened_at > now() - interval '1 day'
ORDER BY alarm.id DESC
LIMIT %(limit)s;

-- name: beds
-- Residents with their bed, latest signs and most urgent active alarm.
SELECT resident.id, resident.name, resident.sex, resident.born_on, resident.self_care_level,
    resident.on_oxygen, site.id AS site_id, site.name AS site_name,
    room.name AS room_name, room.floor, bed.label AS bed_label,
    {each sign: state.$, state.$_at}, state.in_bed, state.in_bed_at,
    state.activity_at, seen_in.name AS activity_room,
    worst.priority AS alarm_priority, worst.id AS alarm_id, worst.kind AS alarm_kind
FROM care.resident
JOIN care.site ON site.id = resident.site_id
LEFT JOIN care.residence ON residence.resident_id = resident.id AND residence.during @> now()
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room ON room.id = bed.room_id
LEFT JOIN scoped.resident_state AS state ON state.resident_id = resident.id
LEFT JOIN care.room AS seen_in ON seen_in.id = state.activity_room_id
LEFT JOIN LATERAL (
    SELECT id, priority, kind FROM care.alarm
    WHERE alarm.resident_id = resident.id AND care.is_active(alarm.state)
    ORDER BY priority DESC, opened_at LIMIT 1
) AS worst ON true
WHERE resident.left_on IS NULL AND (%(site_id)s::integer IS NULL OR resident.site_id = %(site_id)s)
ORDER BY site.name, site.id, room.floor NULLS LAST, length(room.name), room.name, length(bed.label),
    bed.label, resident.id
LIMIT %(limit)s;
