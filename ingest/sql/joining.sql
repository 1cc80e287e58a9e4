-- Queries of ingest/joining.py.

-- name: alarms_waiting
-- Alarms that devices raised before anybody knew whose they are, and it is known now; the most urgent first.
-- `device_id` is the device that was adopted since.
SELECT alarm.id AS alarm_id, coalesce(proposal.device_id, alarm.device_id) AS device_id
FROM care.alarm
LEFT JOIN care.device_proposal AS proposal
    ON proposal.gateway_id = alarm.device_id AND proposal.key = alarm.proposal_key
WHERE NOT care.is_ended(alarm.state) AND alarm.source = 'device' AND alarm.device_id IS NOT NULL
  AND alarm.resident_id IS NULL AND alarm.room_id IS NULL
  AND (proposal.device_id IS NOT NULL OR alarm.proposal_key IS NULL AND EXISTS (
      SELECT FROM care.device_assignment AS assignment
      WHERE assignment.device_id = alarm.device_id AND upper_inf(assignment.during)))
ORDER BY alarm.priority DESC, alarm.id LIMIT %(limit)s;

-- name: watching
-- Whom or which room devices watch now.
SELECT device_id, resident_id, room_id FROM care.device_watch
WHERE device_id = ANY (%(device_ids)s) AND to_at IS NULL;

-- name: devices_waiting
SELECT device_id FROM readings.unjoined
WHERE joined_at IS NULL OR asked_at < clock_timestamp() - make_interval(secs => %(learnt_after_s)s)
ORDER BY asked_at LIMIT %(limit)s;

-- name: joined
-- Done, where nobody can have learnt of it late any more.
WITH done AS (
    DELETE FROM readings.unjoined WHERE device_id = %(device_id)s
        AND asked_at < clock_timestamp() - make_interval(secs => %(learnt_after_s)s)
    RETURNING device_id
)
UPDATE readings.unjoined SET joined_at = clock_timestamp()
WHERE device_id = %(device_id)s AND NOT EXISTS (SELECT FROM done);

-- name: watches
SELECT device_id, resident_id, room_id, from_at, to_at FROM care.device_watch
WHERE device_id = %(device_id)s;

-- name: join_vitals
-- With the note by which state and rollups are made anew.
WITH joined AS (
    UPDATE readings.vitals SET resident_id = %(resident_id)s
    WHERE device_id = %(device_id)s AND resident_id IS NULL AND %(resident_id)s::integer IS NOT NULL
      AND time >= %(from_at)s AND time < coalesce(%(to_at)s::timestamptz, 'infinity')
    RETURNING device_id, floor(extract(epoch FROM time) - 946684800)::integer AS second
), hours AS (
    SELECT device_id, min(second) AS from_s FROM joined GROUP BY device_id, second / 3600
)
INSERT INTO readings.unsettled (source, device_ids, from_s)
SELECT 'vitals', array_agg(device_id ORDER BY from_s), array_agg(from_s ORDER BY from_s) FROM hours
HAVING count(*) > 0;

-- name: join_activity
WITH joined AS (
    UPDATE readings.activity SET resident_id = %(resident_id)s, room_id = %(room_id)s
    WHERE device_id = %(device_id)s AND resident_id IS NULL AND room_id IS NULL
      AND time >= %(from_at)s AND time < coalesce(%(to_at)s::timestamptz, 'infinity')
    RETURNING device_id, floor(extract(epoch FROM time) - 946684800)::integer AS second
), hours AS (
    SELECT device_id, min(second) AS from_s FROM joined GROUP BY device_id, second / 3600
)
INSERT INTO readings.unsettled (source, device_ids, from_s)
SELECT 'activity', array_agg(device_id ORDER BY from_s), array_agg(from_s ORDER BY from_s) FROM hours
HAVING count(*) > 0;
