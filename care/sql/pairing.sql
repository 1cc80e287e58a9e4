-- Queries of care/pairing.py.

-- name: open_site
SELECT id FROM care.site WHERE id = %(site_id)s AND closed_at IS NULL;

-- name: gateway
SELECT id, site_id, name FROM care.device
WHERE id = %(gateway_id)s AND kind = 'gateway' AND retired_at IS NULL;

-- name: add_code
INSERT INTO care.pairing_code (site_id, replaces_id, code_scrypt, made_by, expires_at)
VALUES (%(site_id)s, %(replaces_id)s, %(code_scrypt)s, %(made_by)s, clock_timestamp() + %(valid_for)s);

-- name: redeem
SELECT * FROM care.redeem_pairing_code(%(hashed)s, %(address)s, %(secret)s, %(sha512)s, %(salt)s, %(iterations)s);

-- name: secret_parameters
SELECT * FROM care.gateway_secret_parameters(%(username)s);

-- name: rotate
SELECT * FROM care.rotate_gateway_secret(%(username)s, %(hashed)s, %(address)s, %(secret)s, %(sha512)s, %(salt)s,
    %(iterations)s);

-- name: confirm
SELECT * FROM care.confirm_gateway_secret(%(username)s, %(hashed)s, %(address)s);

-- name: enrolment
SELECT * FROM care.gateway_of_credential(%(credential_id)s);

-- name: revoke
UPDATE care.gateway_credential SET revoked_at = clock_timestamp(), revoked_by = %(staff_id)s
WHERE device_id = %(gateway_id)s AND revoked_at IS NULL RETURNING id;
