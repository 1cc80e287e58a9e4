-- Accounts: what is kept of a password is no key to anything, role and scope go together, a session that nobody uses
-- ends, and who tried to sign in is forgotten after a while.
-- depends: 0022_least_rights 0023_names

-- Devices: intake need not know a secret to know that there is one.

ALTER TABLE care.device ADD COLUMN has_secret boolean NOT NULL GENERATED ALWAYS AS (secret_sha512 IS NOT NULL) STORED;
COMMENT ON COLUMN care.device.has_secret IS 'Whether it signs in at the broker itself.';
GRANT SELECT (has_secret, relayed) ON care.device TO anshou_ingest, anshou_service;

-- Passwords

CREATE FUNCTION care.kept_password(hashed text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT substring(hashed FROM '^(.*)\$[^$]*$') || '$'
        || translate(encode(sha256(convert_to(hashed, 'UTF8')), 'base64'), '=', '')
$$;
COMMENT ON FUNCTION care.kept_password IS
    'What is kept of a password''s Argon2id hash: its parameters and salt, and the SHA-256 of the whole. As identity.secrets.';
REVOKE ALL ON FUNCTION care.kept_password FROM PUBLIC;
UPDATE care.staff SET password_argon2 = care.kept_password(password_argon2) WHERE password_argon2 IS NOT NULL;
COMMENT ON COLUMN care.staff.password_argon2 IS
    'Parameters and salt of Argon2id, and the SHA-256 of the encoded hash: whoever reads it cannot sign in with it.';

-- Roles and scopes

CREATE TABLE care.role_scope (
    role care.staff_role NOT NULL,
    scope care.scope_kind NOT NULL,
    PRIMARY KEY (role, scope)
);
COMMENT ON TABLE care.role_scope IS 'How far each role may see. As identity.model.SCOPES; a test compares the two.';
INSERT INTO care.role_scope (role, scope) VALUES ('county_supervisor', 'county'), ('township_officer', 'township'),
    ('operator_manager', 'operator'), ('home_director', 'site'), ('shift_leader', 'site'), ('caregiver', 'site'),
    ('carer', 'site'), ('village_assistant', 'site');
ALTER TABLE care.role_scope ENABLE ROW LEVEL SECURITY;
-- Whoever is recorded otherwise stays so until their role or scope is set anew.
ALTER TABLE care.staff ADD CONSTRAINT role_and_scope_go_together
    FOREIGN KEY (role, scope) REFERENCES care.role_scope NOT VALID;

-- Sessions

ALTER TABLE care.session
    ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN idle_limit interval NOT NULL DEFAULT interval '1 hour';
COMMENT ON COLUMN care.session.used_at IS 'When it was last used, to the minute. A desk that is open uses it.';
COMMENT ON COLUMN care.session.idle_limit IS 'Unused for so long, it has ended.';

CREATE OR REPLACE FUNCTION care.current_staff_id() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT session.staff_id
    FROM care.session JOIN care.staff ON staff.id = session.staff_id
    WHERE session.token_sha256 = sha256(convert_to(current_setting('anshou.session', true), 'UTF8'))
      AND session.expires_at > now() AND session.used_at > now() - session.idle_limit AND staff.left_at IS NULL
$$;

CREATE FUNCTION care.use_session() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person integer := care.current_staff_id();
BEGIN
    IF person IS NOT NULL THEN
        -- Once a minute will do, and of several requests at once none waits for another.
        UPDATE care.session SET used_at = clock_timestamp() WHERE id = (
            SELECT id FROM care.session
            WHERE token_sha256 = sha256(convert_to(current_setting('anshou.session', true), 'UTF8'))
              AND used_at < clock_timestamp() - interval '1 minute'
            FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN person;
END
$$;
COMMENT ON FUNCTION care.use_session IS 'Who is signed in, and that they are there; null: the session has ended.';

CREATE OR REPLACE FUNCTION care.sign_in(sought text, hashed text, valid_for interval) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person integer;
    token text;
BEGIN
    IF (SELECT count(*) FROM care.sign_in_attempt AS attempt
        WHERE attempt.username = sought AND NOT succeeded AND at > clock_timestamp() - interval '5 minutes') >= 10
    THEN
        RETURN 'locked';
    END IF;
    SELECT id INTO person FROM care.staff
        WHERE username = sought AND password_argon2 = care.kept_password(hashed) AND left_at IS NULL;
    INSERT INTO care.sign_in_attempt (username, succeeded) VALUES (left(sought, 63), person IS NOT NULL);
    IF person IS NULL THEN
        RETURN NULL;
    END IF;
    token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
    DELETE FROM care.session WHERE expires_at < clock_timestamp() OR used_at < clock_timestamp() - idle_limit;
    INSERT INTO care.session (token_sha256, staff_id, expires_at)
        VALUES (sha256(convert_to(token, 'UTF8')), person, clock_timestamp() + least(valid_for, interval '30 days'));
    RETURN token;
END
$$;

CREATE FUNCTION care.own_sessions()
RETURNS TABLE (id bigint, opened_at timestamptz, used_at timestamptz, expires_at timestamptz, is_this boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT session.id, session.opened_at, session.used_at, session.expires_at,
        session.token_sha256 = sha256(convert_to(current_setting('anshou.session', true), 'UTF8'))
    FROM care.session
    WHERE session.staff_id = care.current_staff_id() AND session.expires_at > now()
      AND session.used_at > now() - session.idle_limit
    ORDER BY session.opened_at DESC
$$;
COMMENT ON FUNCTION care.own_sessions IS 'Where else who is signed in is signed in.';

CREATE FUNCTION care.end_own_session(ended bigint) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH gone AS (DELETE FROM care.session WHERE id = ended AND staff_id = care.current_staff_id() RETURNING id)
    SELECT EXISTS (SELECT FROM gone)
$$;
COMMENT ON FUNCTION care.end_own_session IS 'Whether it was one of who is signed in; it has ended then.';

CREATE FUNCTION care.change_own_password(hashed text, kept text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person care.staff;
BEGIN
    IF kept !~ '^\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{8,}\$[A-Za-z0-9+/]{43}$' THEN
        RAISE EXCEPTION 'not what is kept of a password' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO person FROM care.staff WHERE id = care.current_staff_id();
    IF person.id IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Whoever has found a desk open may not guess either.
    IF (SELECT count(*) FROM care.sign_in_attempt AS attempt
        WHERE attempt.username = person.username AND NOT succeeded AND at > clock_timestamp() - interval '5 minutes') >= 10
    THEN
        RETURN 'locked';
    END IF;
    IF person.password_argon2 IS DISTINCT FROM care.kept_password(hashed) THEN
        INSERT INTO care.sign_in_attempt (username, succeeded) VALUES (person.username, false);
        RETURN 'wrong';
    END IF;
    UPDATE care.staff SET password_argon2 = kept WHERE id = person.id;
    RETURN 'changed';
END
$$;
COMMENT ON FUNCTION care.change_own_password IS
    '''changed'' if the present password''s hash is right; else ''wrong'', or ''locked''. The person''s other sessions end.';

-- With an old password, or after they have left, nobody stays signed in.
CREATE FUNCTION care.end_sessions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM care.session WHERE staff_id = NEW.id AND (NEW.left_at IS NOT NULL OR token_sha256 IS DISTINCT FROM
        sha256(convert_to(current_setting('anshou.session', true), 'UTF8')));
    RETURN NULL;
END
$$;
CREATE TRIGGER end_sessions AFTER UPDATE OF left_at, password_argon2 ON care.staff FOR EACH ROW
    WHEN (NEW.left_at IS DISTINCT FROM OLD.left_at OR NEW.password_argon2 IS DISTINCT FROM OLD.password_argon2)
    EXECUTE FUNCTION care.end_sessions();

COMMENT ON TABLE care.gateway_errand IS
    'Secrets that the broker is about to be told; deleted as soon as it was. In no write-ahead log; a dump leaves it out with --no-unlogged-table-data.';

-- Attempts

CREATE INDEX sign_in_attempt_at ON care.sign_in_attempt USING brin (at);
CREATE FUNCTION care.forget_attempts(keep interval, limited integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'attempts of the last day count for the locks' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    WITH signing_in AS (
        DELETE FROM care.sign_in_attempt WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM care.sign_in_attempt WHERE at < now() - keep LIMIT limited)) RETURNING 1
    ), pairing AS (
        DELETE FROM care.pairing_attempt WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM care.pairing_attempt WHERE at < now() - keep LIMIT limited)) RETURNING 1
    ), session AS (
        DELETE FROM care.session WHERE token_sha256 = ANY (ARRAY(
            SELECT token_sha256 FROM care.session WHERE expires_at < now() - keep LIMIT limited)) RETURNING 1
    )
    SELECT (SELECT count(*) FROM signing_in) + (SELECT count(*) FROM pairing) + (SELECT count(*) FROM session)
        INTO forgotten;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION care.forget_attempts IS
    'Forgets who tried to sign in or to pair, and sessions that ended, longer ago than `keep`; how many rows, at most `limited` of a table.';

REVOKE ALL ON FUNCTION care.use_session, care.own_sessions, care.end_own_session, care.change_own_password,
    care.end_sessions, care.forget_attempts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.use_session, care.own_sessions, care.end_own_session, care.change_own_password TO anshou_web;
GRANT EXECUTE ON FUNCTION care.forget_attempts TO anshou_ingest;
