-- Queries of alarms/escalation.py.

-- name: due
-- Each level that should know of an alarm by now and is not named yet. The ladders come as four arrays of equal length.
-- An alarm that was given back or lost waits anew: the next level comes after the time that lies between the two.
WITH ladder AS (
    SELECT * FROM unnest(%(site_kinds)s::text[], %(levels)s::smallint[], %(roles)s::text[], %(after_s)s::float8[])
        AS ladder (site_kind, level, role, after_s)
)
SELECT alarm.id AS alarm_id, ladder.level, ladder.role
FROM care.alarm
JOIN care.site ON site.id = alarm.site_id
JOIN ladder ON ladder.site_kind = site.kind::text
LEFT JOIN ladder AS named ON named.site_kind = site.kind::text AND named.level = alarm.waiting_level
WHERE alarm.state = 'open'
  AND NOT care.is_ended(alarm.state)  -- so that the index of unended alarms serves
  AND alarm.priority IN ('medium', 'high')
  AND ladder.level > alarm.escalation_level
  AND coalesce(alarm.waiting_since, alarm.opened_at) <= clock_timestamp() - make_interval(
      secs => (ladder.after_s - coalesce(named.after_s, 0)) * CASE alarm.priority WHEN 'medium' THEN %(medium_factor)s::float8 ELSE 1 END)
ORDER BY alarm.priority DESC, alarm.opened_at, alarm.id, ladder.level
LIMIT %(limit)s;

-- name: late
-- Who said that they go and is not there: after half of their time they are reminded once, after all of it the alarm is
-- open again (`is_over`).
WITH held AS (
    SELECT alarm.id AS alarm_id, alarm.escalation_level, alarm.acknowledged_at, site.kind AS site_kind,
        clock_timestamp() - alarm.acknowledged_at AS lasts,
        make_interval(secs => CASE site.kind WHEN 'household' THEN %(household_s)s::float8 ELSE %(home_s)s::float8 END
            * CASE alarm.priority WHEN 'medium' THEN %(medium_factor)s::float8 ELSE 1 END) AS granted
    FROM care.alarm
    JOIN care.site ON site.id = alarm.site_id
    -- What was acknowledged longer ago is from before acknowledgements ran out: all at once would drown what is new.
    WHERE alarm.state = 'acknowledged' AND alarm.acknowledged_at > clock_timestamp() - interval '1 day' AND NOT care.is_ended(alarm.state) AND alarm.priority IN ('medium', 'high')
)
SELECT alarm_id, site_kind, escalation_level, acknowledged_at, lasts >= granted AS is_over
FROM held
WHERE lasts >= granted OR (lasts >= granted / 2 AND NOT EXISTS (
    SELECT FROM care.alarm_event AS line
    WHERE line.alarm_id = held.alarm_id AND line.step = 'reminded' AND line.at >= held.acknowledged_at))
ORDER BY acknowledged_at
LIMIT %(limit)s;
