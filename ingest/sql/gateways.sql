-- Queries of ingest/gateway_ingest.py.

-- name: revoke_retired
UPDATE care.gateway_credential AS credential SET revoked_at = clock_timestamp()
FROM care.device WHERE device.id = credential.device_id AND device.retired_at IS NOT NULL AND revoked_at IS NULL;

-- name: drop_old_errands
-- Of a box that gave up, or that was revoked before the broker came back.
DELETE FROM care.gateway_errand AS errand USING care.gateway_credential AS credential
WHERE credential.id = errand.credential_id
  AND (errand.at < clock_timestamp() - interval '1 hour' OR credential.revoked_at IS NOT NULL);

-- name: errands
SELECT errand.credential_id AS id, site.code AS site, device.name AS gateway, credential.username, errand.secret
FROM care.gateway_errand AS errand
JOIN care.gateway_credential AS credential ON credential.id = errand.credential_id
JOIN care.device ON device.id = credential.device_id
JOIN care.site ON site.id = device.site_id
ORDER BY errand.at LIMIT 100;

-- name: told
UPDATE care.gateway_credential SET told_at = clock_timestamp() WHERE id = %(id)s;

-- name: done
DELETE FROM care.gateway_errand WHERE credential_id = %(id)s;

-- name: revoked
SELECT id, username FROM care.gateway_credential
WHERE revoked_at IS NOT NULL AND forgotten_at IS NULL ORDER BY id LIMIT 100;

-- name: forgotten
UPDATE care.gateway_credential SET forgotten_at = clock_timestamp() WHERE id = %(id)s;
