-- Queries of care/proposals.py.

-- name: record
-- New, or brought up to date; nothing where the gateway has too many open. What was decided stays decided, but
-- for a device that was adopted and is out of use since: hearing it again proposes it again.
INSERT INTO care.device_proposal AS known (gateway_id, key, label, kind, vendor, product, says)
SELECT %(gateway_id)s, %(key)s, %(label)s, %(kind)s, %(vendor)s, %(product)s, %(says)s
WHERE (SELECT count(*) FROM care.device_proposal AS other
       WHERE other.gateway_id = %(gateway_id)s AND other.key <> %(key)s
         AND other.device_id IS NULL AND other.refused_at IS NULL) < %(open_max)s
ON CONFLICT (gateway_id, key) DO UPDATE SET
    label = excluded.label, kind = excluded.kind, vendor = excluded.vendor, product = excluded.product, says = excluded.says,
    heard_at = clock_timestamp()
RETURNING key;

-- name: open
SELECT proposal.gateway_id, gateway.name AS gateway, gateway.site_id, proposal.key, proposal.label, proposal.kind,
    proposal.vendor, proposal.product, proposal.says, proposal.first_at, proposal.heard_at
FROM care.device_proposal AS proposal
JOIN care.device AS gateway ON gateway.id = proposal.gateway_id AND gateway.retired_at IS NULL
LEFT JOIN care.device AS adopted ON adopted.id = proposal.device_id
WHERE proposal.refused_at IS NULL
  AND (proposal.device_id IS NULL OR proposal.heard_at > adopted.retired_at)
  AND (%(site_id)s::integer IS NULL OR gateway.site_id = %(site_id)s)
  AND (%(gateway_id)s::integer IS NULL OR proposal.gateway_id = %(gateway_id)s)
  AND (%(key)s::text IS NULL OR proposal.key = %(key)s)
ORDER BY proposal.first_at DESC, proposal.key LIMIT %(limit)s;

-- name: lock
SELECT key FROM care.device_proposal WHERE gateway_id = %(gateway_id)s AND key = %(key)s FOR UPDATE;

-- name: decided
SELECT key FROM care.device_proposal WHERE gateway_id = %(gateway_id)s AND key = %(key)s;

-- name: add_device
INSERT INTO care.device (site_id, name, kind, model, power)
VALUES (%(site_id)s, coalesce(%(name)s::text, care.next_device_name(%(stem)s)), %(kind)s, %(model)s, %(power)s)
RETURNING id, name;

-- name: is_at_site
SELECT FROM care.device
WHERE device.id = %(device_id)s AND device.site_id = coalesce(
    (SELECT site_id FROM care.resident WHERE id = %(resident_id)s AND left_on IS NULL),
    (SELECT site_id FROM care.room WHERE id = %(room_id)s));

-- name: assign
INSERT INTO care.device_assignment (device_id, resident_id, room_id, during)
VALUES (%(device_id)s, %(resident_id)s, %(room_id)s, tstzrange(now(), NULL));

-- name: adopt
UPDATE care.device_proposal SET device_id = %(device_id)s, decided_by = %(staff_id)s, decided_at = clock_timestamp()
WHERE gateway_id = %(gateway_id)s AND key = %(key)s;

-- name: refuse
UPDATE care.device_proposal SET device_id = NULL, refused_at = clock_timestamp(), decided_by = %(staff_id)s,
    decided_at = clock_timestamp()
WHERE gateway_id = %(gateway_id)s AND key = %(key)s;

-- name: configs
-- Gateways in use, and those that went out of use lately: what the broker keeps for them is to be cleared.
SELECT site.code AS site, gateway.id AS gateway_id, gateway.name AS gateway, gateway.retired_at IS NOT NULL AS retired,
    coalesce(array_agg(proposal.key ORDER BY proposal.key) FILTER (WHERE adopted.id IS NOT NULL), '{}') AS keys,
    coalesce(array_agg(adopted.name ORDER BY proposal.key) FILTER (WHERE adopted.id IS NOT NULL), '{}') AS names,
    coalesce(array_agg(adopted.kind ORDER BY proposal.key) FILTER (WHERE adopted.id IS NOT NULL), '{}') AS kinds,
    coalesce(array_agg(proposal.key ORDER BY proposal.key) FILTER (WHERE proposal.refused_at IS NOT NULL), '{}') AS refused
FROM care.device AS gateway
JOIN care.site ON site.id = gateway.site_id
LEFT JOIN care.device_proposal AS proposal ON proposal.gateway_id = gateway.id
LEFT JOIN care.device AS adopted ON adopted.id = proposal.device_id AND adopted.retired_at IS NULL
WHERE gateway.kind = 'gateway' AND (gateway.retired_at IS NULL OR gateway.retired_at > now() - interval '30 days')
GROUP BY site.code, gateway.id, gateway.name, gateway.retired_at ORDER BY gateway.name;
