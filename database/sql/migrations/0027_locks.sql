-- Locks that keep guessers out and nobody else: by name and address together, and by address.
-- depends: 0024_accounts

ALTER TABLE care.sign_in_attempt ADD COLUMN address text;
COMMENT ON COLUMN care.sign_in_attempt.address IS 'Where from; of IPv6 the network of a home. Null: not known.';
CREATE INDEX sign_in_attempt_of_address ON care.sign_in_attempt (address, at DESC);

CREATE FUNCTION care.sign_in_wait(sought text, asking_address text) RETURNS interval
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known_here boolean := EXISTS (
        SELECT FROM care.sign_in_attempt WHERE username = sought AND address = asking_address AND succeeded
            AND at > clock_timestamp() - interval '30 days');
    failures integer;
    latest timestamptz;
BEGIN
    -- 5 failures are for nothing; each one more doubles the time, up to 5 minutes.
    SELECT count(*), max(at) INTO failures, latest FROM care.sign_in_attempt AS attempt
    WHERE username = sought AND address = asking_address AND NOT succeeded
      AND at > greatest(clock_timestamp() - interval '1 hour', (
            SELECT max(at) FROM care.sign_in_attempt AS right_one
            WHERE right_one.username = sought AND right_one.address = asking_address AND right_one.succeeded));
    IF failures >= 5 THEN
        RETURN latest + least(interval '30 seconds' * 2 ^ least(failures - 5, 4), interval '5 minutes')
            - clock_timestamp();
    END IF;
    -- Whoever tries name after name from one address waits too, but nobody who has signed in from there.
    SELECT count(*), max(at) INTO failures, latest FROM care.sign_in_attempt
    WHERE address = asking_address AND NOT succeeded AND at > clock_timestamp() - interval '10 minutes';
    IF failures >= 30 AND NOT known_here THEN
        RETURN latest + interval '1 minute' - clock_timestamp();
    END IF;
    RETURN interval '0';
END
$$;
COMMENT ON FUNCTION care.sign_in_wait IS
    'How long somebody at this address has to wait before this name is looked at; nobody can keep others out by it.';

DROP FUNCTION care.sign_in(text, text, interval);
CREATE FUNCTION care.sign_in(
    sought text, hashed text, valid_for interval, asking_address text, replaces text,
    OUT token text, OUT wait_s integer
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person integer;
BEGIN
    wait_s := ceil(extract(epoch FROM care.sign_in_wait(sought, asking_address)));
    IF wait_s > 0 THEN
        RETURN;
    END IF;
    wait_s := 0;
    SELECT id INTO person FROM care.staff
        WHERE username = sought AND password_argon2 = care.kept_password(hashed) AND left_at IS NULL;
    INSERT INTO care.sign_in_attempt (username, address, succeeded)
        VALUES (left(sought, 63), left(asking_address, 100), person IS NOT NULL);
    IF person IS NULL THEN
        RETURN;
    END IF;
    token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
    -- A browser has one session: the one that it had ends.
    DELETE FROM care.session WHERE expires_at < clock_timestamp() OR used_at < clock_timestamp() - idle_limit
        OR token_sha256 = sha256(convert_to(replaces, 'UTF8'));
    INSERT INTO care.session (token_sha256, staff_id, expires_at)
        VALUES (sha256(convert_to(token, 'UTF8')), person, clock_timestamp() + least(valid_for, interval '30 days'));
END
$$;
COMMENT ON FUNCTION care.sign_in IS
    'A new session''s token for a right user name and hash; null when wrong, or when `wait_s` is not over. The session `replaces` ends.';

CREATE FUNCTION care.session_ends_at() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT expires_at FROM care.session
    WHERE token_sha256 = sha256(convert_to(current_setting('anshou.session', true), 'UTF8'))
$$;
COMMENT ON FUNCTION care.session_ends_at IS 'When the session ends at the latest; null: there is none.';

-- Pairing: whoever guesses is shut out by address, and nobody else with them.
CREATE OR REPLACE FUNCTION care.pairing_is_locked(asking_address text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) >= 5 FROM care.pairing_attempt
    WHERE address = asking_address AND NOT succeeded AND at > clock_timestamp() - interval '10 minutes'
$$;
COMMENT ON FUNCTION care.pairing_is_locked IS 'After 5 wrong codes or secrets from one address in 10 minutes.';
CREATE INDEX pairing_attempt_of_address ON care.pairing_attempt (address, at DESC);

CREATE FUNCTION care.refuse_gateway(asking_address text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF care.pairing_is_locked(asking_address) THEN
        RETURN 'locked';
    END IF;
    INSERT INTO care.pairing_attempt (address, succeeded) VALUES (left(asking_address, 100), false);
    RETURN 'refused';
END
$$;
COMMENT ON FUNCTION care.refuse_gateway IS
    'Counts a wrong secret; of rotate_gateway_secret and confirm_gateway_secret: a right one is never locked.';

CREATE OR REPLACE FUNCTION care.rotate_gateway_secret(
    sought text, hashed bytea, asking_address text, secret text, sha512 bytea, salt bytea, iterations integer
) RETURNS TABLE (outcome text, credential_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    gateway integer;
BEGIN
    SELECT device_id INTO gateway FROM care.gateway_credential AS credential
    JOIN care.device ON device.id = device_id AND device.retired_at IS NULL
    WHERE username = sought AND credential.secret_sha512 = hashed AND revoked_at IS NULL
    FOR UPDATE OF credential;
    IF gateway IS NULL THEN
        RETURN QUERY SELECT care.refuse_gateway(asking_address), NULL::integer;
        RETURN;
    END IF;
    IF (SELECT count(*) FROM care.gateway_credential
        WHERE device_id = gateway AND made_at > clock_timestamp() - interval '1 day') >= 24 THEN
        RETURN QUERY SELECT 'locked', NULL::integer;
        RETURN;
    END IF;
    -- Who proves a secret has kept it, so that those before it end; this one ends when the new is confirmed.
    PERFORM care.confirm_gateway_secret(sought, hashed, asking_address);
    RETURN QUERY SELECT 'rotated', care.add_gateway_credential(gateway, secret, sha512, salt, iterations);
END
$$;

CREATE OR REPLACE FUNCTION care.confirm_gateway_secret(sought text, hashed bytea, asking_address text)
RETURNS TABLE (outcome text, credential_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    found care.gateway_credential;
BEGIN
    UPDATE care.gateway_credential SET used_at = coalesce(used_at, clock_timestamp())
    WHERE username = sought AND secret_sha512 = hashed AND revoked_at IS NULL AND told_at IS NOT NULL
    RETURNING * INTO found;
    IF found.id IS NULL THEN
        RETURN QUERY SELECT care.refuse_gateway(asking_address), NULL::integer;
        RETURN;
    END IF;
    UPDATE care.gateway_credential SET revoked_at = clock_timestamp()
    WHERE device_id = found.device_id AND id < found.id AND revoked_at IS NULL;
    RETURN QUERY SELECT 'confirmed', found.id;
END
$$;

REVOKE ALL ON FUNCTION care.sign_in_wait, care.sign_in, care.session_ends_at, care.refuse_gateway FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.sign_in_wait, care.sign_in, care.session_ends_at TO anshou_web;
