-- Queries of alarms/feedback.py.

-- name: alarm
-- The lock lets one of two at once see what the other has just said.
SELECT * FROM care.lock_alarm(%(alarm_id)s);

-- name: give
INSERT INTO care.alarm_feedback (alarm_id, site_id, staff_id, actor, verdict, reason, note)
VALUES (%(alarm_id)s, %(site_id)s, %(staff_id)s, %(actor)s, %(verdict)s, %(reason)s, %(note)s)
RETURNING *;

-- name: of_alarm
SELECT * FROM care.alarm_feedback WHERE alarm_id = %(alarm_id)s ORDER BY id;

-- name: precision
-- For each finder (a detector, or the devices, and a kind of alarm) and each span of days: what became of its alarms.
-- What somebody has cancelled as a false alarm is false until somebody says otherwise.
WITH judged AS (
    SELECT alarm.source, alarm.detector, alarm.kind, alarm.opened_at,
        coalesce(latest.verdict, CASE WHEN alarm.state = 'cancelled' AND EXISTS (
            SELECT FROM care.alarm_event
            WHERE alarm_event.alarm_id = alarm.id AND step = 'cancelled' AND staff_id IS NOT NULL) THEN 'false' END
        ) AS verdict
    FROM care.alarm
    LEFT JOIN LATERAL (
        SELECT verdict FROM care.alarm_feedback WHERE alarm_feedback.alarm_id = alarm.id ORDER BY id DESC LIMIT 1
    ) AS latest ON true
    WHERE alarm.source <> 'staff'
      AND alarm.opened_at > now() - make_interval(days => (SELECT max(days) FROM unnest(%(days)s::integer[]) AS days))
)
SELECT span.days, source, detector, kind, count(*) AS raised,
    count(*) FILTER (WHERE verdict = 'true') AS confirmed,
    count(*) FILTER (WHERE verdict = 'false') AS refuted,
    count(*) FILTER (WHERE verdict = 'unsure') AS unsure
FROM judged
JOIN unnest(%(days)s::integer[]) AS span (days) ON judged.opened_at > now() - make_interval(days => span.days)
GROUP BY span.days, source, detector, kind
ORDER BY source, detector, kind, span.days;
