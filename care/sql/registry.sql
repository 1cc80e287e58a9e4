-- Queries of care/registry.py.

-- name: add_operator
INSERT INTO care.operator (code, name, phone) VALUES (%(code)s, %(name)s, %(phone)s) RETURNING *;

-- name: add_site
INSERT INTO care.site (code, kind, name, operator_id, township, village, address, phone)
VALUES (%(code)s, %(kind)s, %(name)s, %(operator_id)s, %(township)s, %(village)s, %(address)s, %(phone)s)
RETURNING *;

-- name: add_room
INSERT INTO care.room (site_id, name, kind, floor) VALUES (%(site_id)s, %(name)s, %(kind)s, %(floor)s)
RETURNING id;

-- name: add_bed
INSERT INTO care.bed (room_id, label) VALUES (%(room_id)s, %(label)s) RETURNING id;

-- name: find_or_add_bed
-- The bed with this label in this room of this site; both are made where they are new.
WITH given_room AS (
    INSERT INTO care.room (site_id, name) VALUES (%(site_id)s, %(room)s)
    ON CONFLICT (site_id, name) DO UPDATE SET name = excluded.name RETURNING id
)
INSERT INTO care.bed (room_id, label) SELECT id, %(bed)s FROM given_room
ON CONFLICT (room_id, label) DO UPDATE SET label = excluded.label RETURNING id;

-- name: add_resident
INSERT INTO care.resident (site_id, name, sex, born_on, category, can_eat, can_dress,
    can_get_in_and_out_of_bed, can_toilet, can_walk_indoors, can_bathe, spo2_scale, on_oxygen, phone,
    family_contact, admitted_on)
VALUES (%(site_id)s, %(name)s, %(sex)s, %(born_on)s, %(category)s, %(can_eat)s, %(can_dress)s,
    %(can_get_in_and_out_of_bed)s, %(can_toilet)s, %(can_walk_indoors)s, %(can_bathe)s, %(spo2_scale)s,
    %(on_oxygen)s, %(phone)s, %(family_contact)s, %(since)s::date)
RETURNING *;

-- name: end_residence
UPDATE care.residence SET during = tstzrange(lower(during), %(at)s)
WHERE resident_id = %(resident_id)s AND upper_inf(during) AND lower(during) < %(at)s;

-- name: start_residence
INSERT INTO care.residence (resident_id, site_id, bed_id, during)
VALUES (%(resident_id)s, %(site_id)s, %(bed_id)s, tstzrange(%(at)s, NULL));

-- name: who_has_bed
-- Who has a bed from a time on, now or later.
SELECT residence.resident_id, resident.name AS occupant, bed.label AS bed, room.name AS room
FROM care.residence
JOIN care.resident ON resident.id = residence.resident_id
JOIN care.bed ON bed.id = residence.bed_id
JOIN care.room ON room.id = bed.room_id
WHERE residence.bed_id = %(bed_id)s AND residence.during && tstzrange(%(at)s, NULL)
ORDER BY residence.during LIMIT 1;

-- name: townships
SELECT DISTINCT township FROM care.site ORDER BY township;

-- name: add_device
INSERT INTO care.device
    (site_id, name, kind, model, power, secret_sha512, secret_salt, secret_iterations, added_at, relayed)
VALUES (%(site_id)s, %(name)s, %(kind)s, %(model)s, %(power)s, %(sha512)s, %(salt)s, %(iterations)s,
    coalesce(%(added_at)s::timestamptz, now()), %(relayed)s)
RETURNING *;

-- name: next_device_number
-- Device names are unique in the county, so the number counts over all of one kind.
SELECT coalesce(max(substring(name FROM '-(\d+)$')::bigint), 0) + 1 AS number
FROM care.device WHERE name ~ ('^' || %(stem)s || '-\d{1,9}$');

-- name: end_assignment
UPDATE care.device_assignment SET during = tstzrange(lower(during), %(at)s)
WHERE device_id = %(device_id)s AND upper_inf(during) AND lower(during) < %(at)s;

-- name: end_assignments_elsewhere
UPDATE care.device_assignment SET during = tstzrange(lower(during), %(at)s)
FROM care.device
WHERE device.id = device_assignment.device_id AND device.site_id <> %(site_id)s
  AND device_assignment.resident_id = %(resident_id)s AND upper_inf(during) AND lower(during) < %(at)s;

-- name: start_assignment
INSERT INTO care.device_assignment (device_id, resident_id, room_id, during)
VALUES (%(device_id)s, %(resident_id)s, %(room_id)s, tstzrange(%(at)s, NULL));

-- name: site_by_code
SELECT * FROM care.site WHERE code = %(code)s;

-- name: site_by_id
SELECT * FROM care.site WHERE id = %(site_id)s;

-- name: retire_device
UPDATE care.device SET retired_at = %(at)s WHERE id = %(device_id)s;

-- name: sites_of_assignment
SELECT own.code AS device_site, watched.code AS watched_site
FROM care.device
JOIN care.site AS own ON own.id = device.site_id
JOIN care.site AS watched ON watched.id = coalesce(
    (SELECT site_id FROM care.resident WHERE resident.id = %(resident_id)s),
    (SELECT site_id FROM care.room WHERE room.id = %(room_id)s))
WHERE device.id = %(device_id)s;

-- name: room_by_name
SELECT room.* FROM care.room WHERE site_id = %(site_id)s AND name = %(name)s;

-- name: operator_by_code
SELECT * FROM care.operator WHERE code = %(code)s;

-- name: residents_called
SELECT * FROM care.resident
WHERE left_on IS NULL AND (name = %(sought)s OR id::text = %(sought)s) ORDER BY id;

-- name: device_by_name
SELECT device.*, current.resident_id, current.room_id
FROM care.device
LEFT JOIN care.device_assignment AS current
    ON current.device_id = device.id AND current.during @> now()
WHERE device.name = %(name)s;

-- name: add_staff
INSERT INTO care.staff (username, name, role, phone, scope, township, operator_id, password_argon2, language)
VALUES (%(username)s, %(name)s, %(role)s, %(phone)s, %(scope)s, %(township)s, %(operator_id)s,
    %(password_argon2)s, %(language)s)
RETURNING *;

-- name: add_staff_site
INSERT INTO care.staff_site (staff_id, site_id) VALUES (%(staff_id)s, %(site_id)s);

-- name: list_operators
SELECT operator.code, operator.name, operator.phone, count(site.id) AS sites
FROM care.operator LEFT JOIN care.site ON site.operator_id = operator.id
GROUP BY operator.id ORDER BY operator.code;

-- name: list_sites
SELECT site.code, site.kind, site.name, operator.name AS operator, site.township, site.village,
    (SELECT count(*) FROM care.resident WHERE resident.site_id = site.id AND left_on IS NULL) AS residents,
    (SELECT count(*) FROM care.device WHERE device.site_id = site.id AND retired_at IS NULL) AS devices
FROM care.site LEFT JOIN care.operator ON operator.id = site.operator_id
ORDER BY site.kind, site.code;

-- name: list_residents
SELECT resident.id, resident.name, site.code AS site, room.name AS room, bed.label AS bed, resident.born_on,
    resident.category, resident.self_care_level
FROM care.resident
JOIN care.site ON site.id = resident.site_id
LEFT JOIN care.residence ON residence.resident_id = resident.id AND residence.during @> now()
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room ON room.id = bed.room_id
WHERE left_on IS NULL AND (%(site)s::text IS NULL OR site.code = %(site)s)
ORDER BY site.code, room.name, bed.label, resident.id;

-- name: list_devices
SELECT device.name, device.kind, site.code AS site, resident.name AS resident, room.name AS room,
    state.last_seen_at, state.online, state.battery
FROM care.device
JOIN care.site ON site.id = device.site_id
LEFT JOIN care.device_assignment AS current ON current.device_id = device.id AND current.during @> now()
LEFT JOIN care.resident ON resident.id = current.resident_id
LEFT JOIN care.room ON room.id = current.room_id
LEFT JOIN readings.device_state AS state ON state.device_id = device.id
WHERE retired_at IS NULL AND (%(site)s::text IS NULL OR site.code = %(site)s)
ORDER BY site.code, device.name;

-- name: list_staff
SELECT staff.username, staff.name, staff.role, staff.scope,
    coalesce(staff.township, operator.name, (
        SELECT string_agg(site.code, ', ' ORDER BY site.code)
        FROM care.staff_site JOIN care.site ON site.id = staff_site.site_id
        WHERE staff_site.staff_id = staff.id)) AS sees
FROM care.staff LEFT JOIN care.operator ON operator.id = staff.operator_id
WHERE left_at IS NULL ORDER BY staff.username;
