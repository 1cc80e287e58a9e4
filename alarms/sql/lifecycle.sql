-- Queries of alarms/lifecycle.py, the only writer of alarms.

-- name: raise_alarm
-- Opens an alarm, or adds to the one that somebody is still on the way for. `joined` tells which.
INSERT INTO care.alarm (site_id, resident_id, room_id, device_id, kind, priority, source, detector,
    evidence, raised_at, last_signal_at, opened_at)
VALUES (%(site_id)s, %(resident_id)s, %(room_id)s, %(device_id)s, %(kind)s, %(priority)s, %(source)s,
    %(detector)s, %(evidence)s, %(raised_at)s, %(raised_at)s, coalesce(%(at)s::timestamptz, clock_timestamp()))
ON CONFLICT (subject, kind) WHERE care.is_active(state) DO UPDATE SET
    signal_count = alarm.signal_count + 1,
    last_signal_at = greatest(alarm.last_signal_at, excluded.last_signal_at),
    raised_at = least(alarm.raised_at, excluded.raised_at),
    priority = greatest(alarm.priority, excluded.priority),
    evidence = CASE WHEN excluded.evidence = '{}' THEN alarm.evidence ELSE excluded.evidence END,
    condition_ended_at = NULL
RETURNING *, xmax <> 0 AS joined;

-- name: lock_alarm
SELECT * FROM care.alarm WHERE id = %(alarm_id)s FOR NO KEY UPDATE;

-- name: find_active
-- The alarm that a clearing or cancelling signal of this device and kind is about.
SELECT * FROM care.alarm
WHERE kind = %(kind)s AND care.is_active(state)
  AND (device_id = %(device_id)s OR id IN (
      SELECT alarm_id FROM care.alarm_signal WHERE device_id = %(device_id)s AND kind = %(kind)s))
ORDER BY opened_at DESC LIMIT 1
FOR NO KEY UPDATE;

-- name: add_event
INSERT INTO care.alarm_event (alarm_id, site_id, at, step, state_after, staff_id, actor, note, detail)
VALUES (%(alarm_id)s, %(site_id)s, coalesce(%(at)s::timestamptz, clock_timestamp()), %(step)s, %(state_after)s, %(staff_id)s,
    %(actor)s, %(note)s, %(detail)s);

-- name: amend
UPDATE care.alarm SET evidence = evidence || %(evidence)s
WHERE id = %(alarm_id)s AND care.is_active(state)
RETURNING *;

-- name: last_step_by
-- Who took the step that is in the way.
SELECT actor, at FROM care.alarm_event
WHERE alarm_id = %(alarm_id)s AND state_after = %(state)s ORDER BY id LIMIT 1;

-- name: timeline
SELECT * FROM care.alarm_event WHERE alarm_id = %(alarm_id)s ORDER BY id;

-- name: escalate
UPDATE care.alarm SET escalation_level = %(level)s
WHERE id = %(alarm_id)s AND escalation_level < %(level)s AND state = 'open'
RETURNING *;
