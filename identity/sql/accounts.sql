-- Queries of identity/accounts.py, as the owner.

-- name: person
SELECT * FROM care.staff WHERE username = %(username)s;

-- name: set_password
UPDATE care.staff SET password_argon2 = %(kept)s WHERE id = %(id)s;

-- name: disable
UPDATE care.staff SET left_at = clock_timestamp() WHERE id = %(id)s AND left_at IS NULL;

-- name: enable
UPDATE care.staff SET left_at = NULL WHERE id = %(id)s;

-- name: sessions
SELECT id, opened_at, used_at, expires_at FROM care.session
WHERE staff_id = %(id)s AND expires_at > now() AND used_at > now() - idle_limit ORDER BY opened_at DESC;

-- name: end_sessions
DELETE FROM care.session WHERE staff_id = %(id)s;
