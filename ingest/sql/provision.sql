-- Queries of ingest/provision.py.

-- name: gateways
-- Gateways in use, each with the devices of its site that it may not speak for: those that sign in themselves,
-- other gateways, and what was adopted from another.
SELECT site.code AS site, gateway.name AS gateway,
    coalesce(array_agg(other.name) FILTER (WHERE other.kind = 'gateway'
        OR (other.has_secret AND NOT other.relayed)
        OR proposal.gateway_id <> gateway.id), '{}') AS not_for
FROM care.device AS gateway
JOIN care.site ON site.id = gateway.site_id
LEFT JOIN care.device AS other
    ON other.site_id = gateway.site_id AND other.id <> gateway.id AND other.retired_at IS NULL
LEFT JOIN care.device_proposal AS proposal ON proposal.device_id = other.id
WHERE gateway.kind = 'gateway' AND gateway.retired_at IS NULL
GROUP BY site.code, gateway.name;
