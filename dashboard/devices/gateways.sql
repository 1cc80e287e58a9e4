-- Gateways and what they propose. Every query runs in a session's transaction: row security keeps the scope.

-- name: gateways
-- Those that somebody should look at first. `locked_out`: it was paired, and every credential was revoked.
SELECT gateway.id, gateway.name, gateway.model, site.id AS site_id, site.name AS site_name,
    state.last_seen_at, state.online, state.queued, state.dropped, state.clock_off_ms, state.clock_off_at,
    judged.silent, coalesce(credential.total > 0 AND credential.valid = 0, false) AS locked_out,
    coalesce(credential.valid > 0, false) AS is_paired,
    (SELECT count(*) FROM care.device_proposal AS proposal JOIN care.device AS adopted
        ON adopted.id = proposal.device_id AND adopted.retired_at IS NULL
     WHERE proposal.gateway_id = gateway.id) AS adopted,
    count(*) OVER () AS total
FROM care.device AS gateway
JOIN care.device_silence AS silence ON silence.device_id = gateway.id
JOIN care.site ON site.id = gateway.site_id
LEFT JOIN scoped.device_state AS state ON state.device_id = gateway.id
LEFT JOIN (
    SELECT device_id, count(*) AS total, count(*) FILTER (WHERE revoked_at IS NULL) AS valid
    FROM care.gateway_credential GROUP BY device_id
) AS credential ON credential.device_id = gateway.id
CROSS JOIN LATERAL (
    SELECT coalesce(state.online IS FALSE OR state.last_seen_at <= now() - silence.silent_after, true) AS silent
) AS judged
WHERE gateway.kind = 'gateway' AND gateway.retired_at IS NULL
  AND (%(site_id)s::integer IS NULL OR gateway.site_id = %(site_id)s)
ORDER BY (state.last_seen_at IS NULL AND credential.total > 0) DESC, judged.silent DESC, state.queued DESC NULLS LAST,
    abs(state.clock_off_ms) DESC NULLS LAST, state.dropped DESC NULLS LAST, gateway.name
LIMIT %(limit)s;

-- name: gateway
SELECT gateway.id, gateway.name, site.id AS site_id, site.name AS site_name
FROM care.device AS gateway JOIN care.site ON site.id = gateway.site_id
WHERE gateway.id = %(gateway_id)s AND gateway.kind = 'gateway' AND gateway.retired_at IS NULL;

-- name: residents
-- Whom a device at a site may watch.
SELECT resident.id, resident.name, room.name AS room_name, bed.label AS bed_label
FROM care.resident
LEFT JOIN care.residence ON residence.resident_id = resident.id AND residence.during @> now()
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room ON room.id = bed.room_id
WHERE resident.site_id = %(site_id)s AND resident.left_on IS NULL
ORDER BY room.name NULLS LAST, bed.label, resident.name;

-- name: rooms
SELECT id, name FROM care.room WHERE site_id = %(site_id)s ORDER BY name;

-- name: open_codes
-- Codes that a box may still use.
SELECT code.id, site.name AS site_name, code.expires_at, maker.name AS made_by, replaced.name AS replaces
FROM care.pairing_code AS code
JOIN care.site ON site.id = code.site_id
LEFT JOIN care.staff AS maker ON maker.id = code.made_by
LEFT JOIN care.device AS replaced ON replaced.id = code.replaces_id
WHERE code.used_at IS NULL AND code.expires_at > clock_timestamp()
ORDER BY code.expires_at LIMIT 20;
