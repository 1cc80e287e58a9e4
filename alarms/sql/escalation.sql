-- Queries of alarms/escalation.py.

-- name: due
-- Each level that should know of an alarm by now and is not named yet. The ladders come as four arrays of equal length.
SELECT alarm.id AS alarm_id, ladder.level, ladder.role
FROM care.alarm
JOIN care.site ON site.id = alarm.site_id
JOIN unnest(%(site_kinds)s::text[], %(levels)s::smallint[], %(roles)s::text[], %(after_s)s::float8[])
    AS ladder (site_kind, level, role, after_s) ON ladder.site_kind = site.kind::text
WHERE alarm.state = 'open'
  AND NOT care.is_ended(alarm.state)  -- so that the index of unended alarms serves
  AND alarm.priority IN ('medium', 'high')
  AND ladder.level > alarm.escalation_level
  AND alarm.opened_at <= clock_timestamp() - make_interval(
      secs => ladder.after_s * CASE alarm.priority WHEN 'medium' THEN %(medium_factor)s::float8 ELSE 1 END)
ORDER BY alarm.priority DESC, alarm.opened_at, alarm.id, ladder.level
LIMIT %(limit)s;
