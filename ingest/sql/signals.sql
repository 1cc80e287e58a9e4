-- name: store_signal
INSERT INTO care.alarm_signal (device_id, signal_id, state, kind, time, clock_replaced)
VALUES (%(device_id)s, %(signal_id)s, %(state)s, %(kind)s, %(time)s, %(clock_replaced)s)
ON CONFLICT DO NOTHING RETURNING true AS is_new;

-- name: link_signal
UPDATE care.alarm_signal SET alarm_id = %(alarm_id)s
WHERE device_id = %(device_id)s AND signal_id = %(signal_id)s AND state = %(state)s;

-- name: told_before
-- The alarm of one press that came by the other way: from the gateway, or from the device that was adopted since.
SELECT signal.alarm_id
FROM care.device_proposal AS proposal
JOIN care.alarm_signal AS signal ON signal.device_id IN (proposal.gateway_id, proposal.device_id)
WHERE (proposal.device_id = %(device_id)s OR (proposal.gateway_id = %(device_id)s AND proposal.key = %(key)s))
  AND signal.signal_id = %(signal_id)s AND signal.state = 'raised' AND signal.alarm_id IS NOT NULL
LIMIT 1;

-- name: touch_device
-- A sign of life. Never waits: a row that is locked is being brought up to date by somebody else.
WITH held AS (
    SELECT device_id FROM readings.device_state WHERE device_id = %(device_id)s FOR UPDATE SKIP LOCKED
), updated AS (
    UPDATE readings.device_state SET last_seen_at = greatest(last_seen_at, %(seen_at)s)
    WHERE device_id IN (SELECT device_id FROM held)
)
INSERT INTO readings.device_state (device_id, last_seen_at)
SELECT %(device_id)s, %(seen_at)s
WHERE NOT EXISTS (SELECT FROM readings.device_state WHERE device_id = %(device_id)s)
ON CONFLICT DO NOTHING;
