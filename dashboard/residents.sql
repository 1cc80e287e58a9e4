-- One resident. Every query runs in a session's transaction: row security keeps the scope.

-- name: resident
SELECT resident.*, site.name AS site_name, site.kind AS site_kind, site.address, site.village,
    site.township, site.phone AS site_phone, room.name AS room_name, bed.label AS bed_label
FROM care.resident
JOIN care.site ON site.id = resident.site_id
LEFT JOIN care.residence ON residence.resident_id = resident.id AND residence.during @> now()
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room ON room.id = bed.room_id
WHERE resident.id = %(resident_id)s;
