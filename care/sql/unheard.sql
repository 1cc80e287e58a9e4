-- Queries of care/unheard.py.

-- name: record
INSERT INTO care.unheard AS known (gateway_id, key, path, count, reason, example)
SELECT DISTINCT ON (key, path) %(gateway_id)s, key, path, count, reason, example
FROM unnest(%(keys)s::text[], %(paths)s::text[], %(counts)s::bigint[], %(reasons)s::text[], %(examples)s::text[])
    AS told (key, path, count, reason, example)
ORDER BY key, path
ON CONFLICT (gateway_id, key, path) DO UPDATE SET reason = excluded.reason,
    example = coalesce(excluded.example, known.example), count = excluded.count,
    last_at = CASE WHEN excluded.count = known.count THEN known.last_at ELSE clock_timestamp() END;

-- name: bound
DELETE FROM care.unheard WHERE gateway_id = %(gateway_id)s AND (
    last_at < now() - interval '30 days'
    OR (key, path) NOT IN (
        SELECT key, path FROM care.unheard WHERE gateway_id = %(gateway_id)s
        ORDER BY last_at DESC, count DESC LIMIT %(fields_max)s));

-- name: unheard
-- What sounds like an alarm is judged by the words of the field, the device and its model, and by what it can say.
SELECT field.gateway_id, gateway.name AS gateway, gateway.site_id, site.name AS site_name, field.key, field.path,
    field.count, field.reason, field.example, field.first_at, field.last_at,
    coalesce(proposal.label, adopted.name) AS device, adopted.kind AS device_kind,
    judged.could_be_alarm, judged.could_be_alarm AND taught.says IS NULL
        AND field.first_at < now() - interval '1 day'
        AND NOT EXISTS (SELECT FROM care.alarm_signal AS signal WHERE signal.device_id = proposal.device_id) AS is_overdue,
    taught.says, taught.raised_by
FROM care.unheard AS field
JOIN care.device AS gateway ON gateway.id = field.gateway_id AND gateway.retired_at IS NULL
JOIN care.site ON site.id = gateway.site_id
LEFT JOIN care.device_proposal AS proposal ON proposal.gateway_id = field.gateway_id AND proposal.key = field.key
LEFT JOIN care.device AS adopted ON adopted.id = proposal.device_id
LEFT JOIN care.taught ON taught.gateway_id = field.gateway_id AND taught.key = field.key AND taught.path = field.path
CROSS JOIN LATERAL (
    SELECT concat_ws(' ', field.path, field.key, proposal.label, proposal.vendor, proposal.product, adopted.name)
            ~* '(sos|alarm|emerg|panic|help|fall|smoke|fire|gas|leak|press|button|报警|告警|呼救|求助|呼叫|跌倒|烟|燃气|漏水|按钮)'
        OR EXISTS (SELECT FROM unnest(proposal.says) AS word WHERE word LIKE 'alarm.%%'
            AND word NOT IN ('alarm.low_battery', 'alarm.tamper')) AS could_be_alarm
) AS judged
WHERE proposal.refused_at IS NULL
  AND (%(site_id)s::integer IS NULL OR gateway.site_id = %(site_id)s)
  AND (%(gateway_id)s::integer IS NULL OR field.gateway_id = %(gateway_id)s)
  AND (%(key)s::text IS NULL OR field.key = %(key)s)
  AND (%(path)s::text IS NULL OR field.path = %(path)s)
ORDER BY is_overdue DESC, taught.says IS NULL DESC, judged.could_be_alarm DESC, field.last_at DESC, field.key, field.path
LIMIT %(limit)s;

-- name: teach
INSERT INTO care.taught (gateway_id, key, path, says, raised_by, taught_by)
VALUES (%(gateway_id)s, %(key)s, %(path)s, %(says)s, %(raised_by)s, %(staff_id)s);

-- name: unteach
DELETE FROM care.taught WHERE gateway_id = %(gateway_id)s AND key = %(key)s AND path = %(path)s;

-- name: lessons
SELECT gateway_id, key, path, says, raised_by FROM care.taught ORDER BY gateway_id, key, path;
