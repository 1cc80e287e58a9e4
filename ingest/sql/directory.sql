-- name: devices
-- Every device with each of its assignments. A device in a room with just one resident (or in a household
-- of one) speaks of that resident.
SELECT device.name, device.id AS device_id, device.kind, device.site_id, site.code AS site_code,
    gateway.name AS gateway, device.has_secret AND NOT device.relayed AS is_direct,
    (extract(epoch FROM lower(assignment.during)) * 1000000)::bigint AS from_us,
    (extract(epoch FROM upper(assignment.during)) * 1000000)::bigint AS to_us,
    assignment.room_id,
    coalesce(assignment.resident_id, alone_in_room.resident_id, alone_in_household.resident_id) AS resident_id
FROM care.device
JOIN care.site ON site.id = device.site_id
LEFT JOIN care.device_proposal AS proposal ON proposal.device_id = device.id
LEFT JOIN care.device AS gateway ON gateway.id = proposal.gateway_id
LEFT JOIN care.device_assignment AS assignment ON assignment.device_id = device.id
LEFT JOIN (
    SELECT bed.room_id, min(residence.resident_id) AS resident_id
    FROM care.residence JOIN care.bed ON bed.id = residence.bed_id
    WHERE residence.during @> now() GROUP BY bed.room_id HAVING count(*) = 1
) AS alone_in_room ON alone_in_room.room_id = assignment.room_id
LEFT JOIN (
    SELECT residence.site_id, min(residence.resident_id) AS resident_id
    FROM care.residence JOIN care.site ON site.id = residence.site_id AND site.kind = 'household'
    WHERE residence.during @> now() GROUP BY residence.site_id HAVING count(*) = 1
) AS alone_in_household ON alone_in_household.site_id = device.site_id AND assignment.room_id IS NOT NULL
WHERE device.retired_at IS NULL
ORDER BY device.id, lower(assignment.during) DESC;
