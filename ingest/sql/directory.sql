-- name: devices
-- Every device with each of its assignments, the newest first.
SELECT device.name, device.id AS device_id, device.kind, device.site_id, site.code AS site_code,
    gateway.name AS gateway, device.has_secret AND NOT device.relayed AS is_direct,
    (extract(epoch FROM watch.from_at) * 1000000)::bigint AS from_us,
    (extract(epoch FROM watch.to_at) * 1000000)::bigint AS to_us,
    watch.room_id, watch.resident_id
FROM care.device
JOIN care.site ON site.id = device.site_id
LEFT JOIN care.device_proposal AS proposal ON proposal.device_id = device.id
LEFT JOIN care.device AS gateway ON gateway.id = proposal.gateway_id
LEFT JOIN care.device_watch AS watch ON watch.device_id = device.id
WHERE device.retired_at IS NULL
ORDER BY device.id, watch.from_at DESC;
