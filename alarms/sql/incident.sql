-- Queries of alarms/incident.py, the only writer of alarms.

-- name: report
-- Opens an alarm, or adds to the one that somebody is still on the way for. `joined` tells which.
INSERT INTO care.alarm (site_id, resident_id, room_id, device_id, proposal_key, kind, priority, source, detector,
    evidence, raised_at, last_signal_at, opened_at)
VALUES (%(site_id)s, %(resident_id)s, %(room_id)s, %(device_id)s, %(proposal_key)s, %(kind)s, %(priority)s, %(source)s,
    %(detector)s, %(evidence)s, %(happened_at)s, %(happened_at)s,
    coalesce(%(known_at)s::timestamptz, clock_timestamp()))
ON CONFLICT (subject, kind) WHERE care.is_active(state) DO UPDATE SET
    signal_count = alarm.signal_count + 1,
    last_signal_at = greatest(alarm.last_signal_at, excluded.last_signal_at),
    raised_at = least(alarm.raised_at, excluded.raised_at),
    priority = greatest(alarm.priority, excluded.priority),
    evidence = CASE WHEN excluded.evidence = '{}' THEN alarm.evidence ELSE excluded.evidence END,
    condition_ended_at = NULL
RETURNING *, xmax <> 0 AS joined;

-- name: count_more
-- A repeat says that the cause is not over.
UPDATE care.alarm SET signal_count = signal_count + %(count)s, condition_ended_at = NULL,
    last_signal_at = greatest(last_signal_at, %(last_at)s)
WHERE id = %(alarm_id)s;

-- name: lock
SELECT * FROM care.lock_alarm(%(alarm_id)s);

-- name: active_of
-- The alarm that a device speaks of which says that the cause is over. What a gateway told for others is theirs,
-- also after they were adopted: its signals lead to no alarm.
SELECT id FROM care.alarm
WHERE kind = %(kind)s AND care.is_active(state) AND proposal_key IS NOT DISTINCT FROM %(proposal_key)s::text
  AND (device_id = %(device_id)s OR id IN (
      SELECT alarm_id FROM care.alarm_signal JOIN care.device ON device.id = device_id
      WHERE device_id = %(device_id)s AND alarm_signal.kind = %(kind)s AND device.kind <> 'gateway'))
ORDER BY opened_at DESC LIMIT 1
FOR NO KEY UPDATE;

-- name: active_beside
-- The active alarm that another would be one with, were it known whose it is.
SELECT * FROM care.alarm
WHERE kind = %(kind)s AND care.is_active(state) AND id <> %(alarm_id)s
  AND subject = CASE WHEN %(resident_id)s::integer IS NOT NULL THEN 'resident:' || %(resident_id)s::integer
                     WHEN %(room_id)s::integer IS NOT NULL THEN 'room:' || %(room_id)s::integer
                     ELSE 'device:' || %(device_id)s::integer END
FOR NO KEY UPDATE;

-- name: place
UPDATE care.alarm SET device_id = %(device_id)s, resident_id = %(resident_id)s, room_id = %(room_id)s,
    proposal_key = NULL
WHERE id = %(alarm_id)s RETURNING *;

-- name: relink
UPDATE care.alarm_signal SET alarm_id = %(kept_id)s WHERE alarm_id = %(joined_id)s;

-- name: absorb
UPDATE care.alarm SET signal_count = alarm.signal_count + joined.signal_count,
    raised_at = least(alarm.raised_at, joined.raised_at), opened_at = least(alarm.opened_at, joined.opened_at),
    last_signal_at = greatest(alarm.last_signal_at, joined.last_signal_at),
    priority = greatest(alarm.priority, joined.priority),
    escalation_level = greatest(alarm.escalation_level, joined.escalation_level),
    condition_ended_at = CASE WHEN alarm.condition_ended_at IS NOT NULL AND joined.condition_ended_at IS NOT NULL
        THEN greatest(alarm.condition_ended_at, joined.condition_ended_at) END
FROM care.alarm AS joined
WHERE alarm.id = %(kept_id)s AND joined.id = %(joined_id)s
RETURNING alarm.*;

-- name: take
-- A step of people. From a page it is the database that says who took it and when.
SELECT * FROM care.take_step(%(alarm_id)s, %(step)s, %(actor)s, %(staff_id)s, %(done_at)s, %(note)s, %(family_notice)s,
    %(key)s, %(detail)s);

-- name: end
-- What the end of its cause makes of an alarm.
UPDATE care.alarm SET state = %(state)s, ended_at = coalesce(%(done_at)s::timestamptz, clock_timestamp())
WHERE id = %(alarm_id)s RETURNING *;

-- name: reopen
-- Nobody has come: open again, and waiting from now.
UPDATE care.alarm SET state = 'open', acknowledged_at = NULL, acknowledged_by = NULL, waiting_since = clock_timestamp(),
    waiting_level = escalation_level
WHERE id = %(alarm_id)s RETURNING *;

-- name: end_condition
UPDATE care.alarm SET condition_ended_at = %(happened_at)s WHERE id = %(alarm_id)s RETURNING *;

-- name: amend
UPDATE care.alarm SET evidence = %(evidence)s WHERE id = %(alarm_id)s RETURNING *;

-- name: escalate
UPDATE care.alarm SET escalation_level = %(level)s WHERE id = %(alarm_id)s RETURNING *;

-- name: write
INSERT INTO care.alarm_event (alarm_id, site_id, at, step, state_after, staff_id, actor, note, detail, key)
VALUES (%(alarm_id)s, %(site_id)s, coalesce(%(done_at)s::timestamptz, clock_timestamp()), %(step)s, %(state_after)s,
    %(staff_id)s, %(actor)s, %(note)s, %(detail)s, %(key)s);

-- name: taken_before
-- What was written for the step that came with this key.
SELECT * FROM care.alarm_event WHERE alarm_id = %(alarm_id)s AND key = %(key)s;

-- name: taken_by
-- Who took the step that is in the way.
SELECT actor, at FROM care.alarm_event
WHERE alarm_id = %(alarm_id)s AND state_after = %(state)s::care.alarm_state AND step::text = state_after::text
ORDER BY id DESC LIMIT 1;

-- name: timeline
SELECT * FROM care.alarm_event WHERE alarm_id = %(alarm_id)s ORDER BY id;
