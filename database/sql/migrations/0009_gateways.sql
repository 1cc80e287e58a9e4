-- Gateways: how a box is paired, what it proposes, what was adopted, and how its outbox is.
-- depends: 0008_intake

CREATE FUNCTION care.manages_devices() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce((
        SELECT scope <> 'site' OR role = 'home_director' FROM care.staff WHERE id = care.current_staff_id()), false)
$$;
COMMENT ON FUNCTION care.manages_devices IS
    'Whether who is signed in may adopt devices and pair gateways: supervisors, and directors of homes.';

CREATE FUNCTION care.next_device_name(stem text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT stem || '-' || to_char(coalesce(max(substring(name FROM '-(\d+)$')::bigint), 0) + 1, 'FM0000')
    FROM care.device WHERE name ~ ('^' || stem || '-\d{1,9}$')
$$;
COMMENT ON FUNCTION care.next_device_name IS
    'The next free name of a kind. Names are unique in the county, so it counts also what the asker may not see.';

CREATE TABLE care.device_proposal (
    gateway_id integer NOT NULL REFERENCES care.device,
    key text NOT NULL CHECK (key <> ''),
    kind text,
    vendor text,
    product text,
    says text[] NOT NULL DEFAULT '{}',
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    device_id integer REFERENCES care.device,
    refused_at timestamptz,
    decided_by integer REFERENCES care.staff,
    decided_at timestamptz,
    PRIMARY KEY (gateway_id, key),
    CHECK (device_id IS NULL OR refused_at IS NULL)
);
COMMENT ON TABLE care.device_proposal IS
    'Devices that gateways have heard: not yet decided, adopted as `device_id`, or refused.';
COMMENT ON COLUMN care.device_proposal.key IS 'What the gateway calls it: dialect, colon, the device''s own address.';
CREATE UNIQUE INDEX device_proposal_device ON care.device_proposal (device_id);

CREATE TABLE care.gateway_credential (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL REFERENCES care.device,
    username text UNIQUE,
    secret_sha512 bytea NOT NULL CHECK (octet_length(secret_sha512) = 64),
    secret_salt bytea NOT NULL,
    secret_iterations integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_at timestamptz,
    used_at timestamptz,
    revoked_at timestamptz,
    revoked_by integer REFERENCES care.staff,
    forgotten_at timestamptz
);
COMMENT ON TABLE care.gateway_credential IS
    'With what paired gateways sign in at the broker. A new one is made before the old one goes, so both are valid for a while.';
COMMENT ON COLUMN care.gateway_credential.told_at IS 'Since when the broker knows it.';
COMMENT ON COLUMN care.gateway_credential.used_at IS 'When the gateway first proved that it signs in with it; older ones end then.';
COMMENT ON COLUMN care.gateway_credential.forgotten_at IS 'Since when the broker has forgotten it, after it was revoked.';
CREATE INDEX gateway_credential_device ON care.gateway_credential (device_id);

-- Mosquitto's plugin takes secrets only in the clear. On its way to the broker a new one lies here for about a
-- second, in a table that is in no write-ahead log and in no backup; the box waits until it has gone.
CREATE UNLOGGED TABLE care.gateway_errand (
    credential_id integer PRIMARY KEY REFERENCES care.gateway_credential,
    secret text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE care.gateway_errand IS 'Secrets that the broker is about to be told; deleted as soon as it was. In no log and no backup.';

CREATE TABLE care.pairing_code (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id integer NOT NULL REFERENCES care.site,
    replaces_id integer REFERENCES care.device,
    code_scrypt bytea NOT NULL UNIQUE,
    made_by integer NOT NULL REFERENCES care.staff,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL CHECK (expires_at <= made_at + interval '1 hour'),
    used_at timestamptz,
    used_from text,
    box_sha256 bytea,
    credential_id integer REFERENCES care.gateway_credential
);
COMMENT ON TABLE care.pairing_code IS 'One-time codes with which a new box becomes a gateway of a site: who made each, and which box used it.';
COMMENT ON COLUMN care.pairing_code.replaces_id IS 'The gateway whose broken or stolen box the new one replaces; null: it becomes a new gateway.';
COMMENT ON COLUMN care.pairing_code.box_sha256 IS 'Of the secret of the box that used it: only that box may ask again, where the answer was lost.';

CREATE TABLE care.pairing_attempt (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    address text NOT NULL,
    succeeded boolean NOT NULL
);
COMMENT ON TABLE care.pairing_attempt IS 'For the lock after repeated wrong codes and secrets, and for the audit.';
CREATE INDEX pairing_attempt_recent ON care.pairing_attempt (at DESC);

-- Row security, as for every table of the care record.
DO $$
DECLARE
    scoped_table text;
    scope_of jsonb := '{
        "device_proposal": "gateway_id IN (SELECT device.id FROM care.device)",
        "gateway_credential": "device_id IN (SELECT device.id FROM care.device)",
        "pairing_code": "site_id = ANY ((SELECT care.visible_sites())::integer[])"
    }';
BEGIN
    FOR scoped_table IN SELECT jsonb_object_keys(scope_of) LOOP
        EXECUTE format('ALTER TABLE care.%I ENABLE ROW LEVEL SECURITY', scoped_table);
        EXECUTE format('CREATE POLICY scope ON care.%I TO anshou_web USING (%s)', scoped_table, scope_of ->> scoped_table);
        EXECUTE format('CREATE POLICY centre ON care.%I TO anshou_service, anshou_ingest USING (true) WITH CHECK (true)', scoped_table);
    END LOOP;
END
$$;
ALTER TABLE care.pairing_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE care.gateway_errand ENABLE ROW LEVEL SECURITY;
CREATE POLICY centre ON care.gateway_errand TO anshou_ingest USING (true);

-- Who manages devices may add some, and only where both ends are in scope and of one site.
CREATE POLICY managers_add ON care.device AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK ((SELECT care.manages_devices()));
CREATE POLICY managers_assign ON care.device_assignment AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK ((SELECT care.manages_devices()) AND EXISTS (
        SELECT FROM care.device WHERE device.id = device_id AND device.site_id = coalesce(
            (SELECT resident.site_id FROM care.resident WHERE resident.id = resident_id AND resident.left_on IS NULL),
            (SELECT room.site_id FROM care.room WHERE room.id = room_id))));
CREATE POLICY managers_decide ON care.device_proposal AS RESTRICTIVE FOR UPDATE TO anshou_web
    USING ((SELECT care.manages_devices())) WITH CHECK (decided_by = (SELECT care.current_staff_id()));
CREATE POLICY managers_revoke ON care.gateway_credential AS RESTRICTIVE FOR UPDATE TO anshou_web
    USING ((SELECT care.manages_devices())) WITH CHECK (revoked_by = (SELECT care.current_staff_id()));
CREATE POLICY managers_pair ON care.pairing_code AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK ((SELECT care.manages_devices()) AND made_by = (SELECT care.current_staff_id())
        AND (replaces_id IS NULL OR EXISTS (
            SELECT FROM care.device WHERE device.id = replaces_id AND device.site_id = pairing_code.site_id
                AND device.kind = 'gateway' AND device.retired_at IS NULL)));

CREATE FUNCTION care.pairing_salt() RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT sha256(convert_to('pairing' || secret, 'UTF8')) FROM care.decoy
$$;
COMMENT ON FUNCTION care.pairing_salt IS 'With which the web hashes pairing codes: one for the installation, since a code is found by its hash.';

CREATE FUNCTION care.pairing_is_locked(asking_address text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT count(*) FILTER (WHERE address = asking_address) >= 5 OR count(*) >= 200
    FROM care.pairing_attempt WHERE NOT succeeded AND at > clock_timestamp() - interval '10 minutes'
$$;
COMMENT ON FUNCTION care.pairing_is_locked IS 'After 5 wrong codes or secrets from one address, or 200 from all, in 10 minutes.';

CREATE FUNCTION care.add_gateway_credential(
    gateway_device_id integer, secret text, sha512 bytea, salt bytea, iterations integer
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    made integer;
BEGIN
    -- Whatever was made before and never used will not be: the box speaks of this one now.
    UPDATE care.gateway_credential SET revoked_at = clock_timestamp()
    WHERE device_id = gateway_device_id AND used_at IS NULL AND revoked_at IS NULL;
    INSERT INTO care.gateway_credential (device_id, secret_sha512, secret_salt, secret_iterations)
    VALUES (gateway_device_id, sha512, salt, iterations) RETURNING id INTO made;
    UPDATE care.gateway_credential SET username = device.name || '.' || made
    FROM care.device WHERE gateway_credential.id = made AND device.id = gateway_device_id;
    INSERT INTO care.gateway_errand (credential_id, secret) VALUES (made, secret);
    RETURN made;
END
$$;
COMMENT ON FUNCTION care.add_gateway_credential IS 'Of redeem_pairing_code and rotate_gateway_secret; nobody else may call it.';

CREATE FUNCTION care.redeem_pairing_code(
    hashed bytea, asking_address text, secret text, sha512 bytea, salt bytea, iterations integer
) RETURNS TABLE (outcome text, credential_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    code care.pairing_code;
    gateway integer;
    made integer;
    box bytea := sha256(convert_to(secret, 'UTF8'));
BEGIN
    IF care.pairing_is_locked(asking_address) THEN
        RETURN QUERY SELECT 'locked', NULL::integer;
        RETURN;
    END IF;
    SELECT * INTO code FROM care.pairing_code WHERE code_scrypt = hashed FOR UPDATE;
    IF code.id IS NULL OR code.expires_at < clock_timestamp() OR (code.used_at IS NOT NULL AND code.box_sha256 <> box)
    THEN
        INSERT INTO care.pairing_attempt (address, succeeded) VALUES (left(asking_address, 100), false);
        RETURN QUERY SELECT 'refused', NULL::integer;
        RETURN;
    END IF;
    IF code.used_at IS NOT NULL THEN  -- the same box asks again: the answer was lost, or the broker was away
        INSERT INTO care.gateway_errand (credential_id, secret)
            SELECT id, secret FROM care.gateway_credential
            WHERE id = code.credential_id AND told_at IS NULL AND revoked_at IS NULL
            ON CONFLICT DO NOTHING;
        RETURN QUERY SELECT 'paired', code.credential_id;
        RETURN;
    END IF;
    gateway := code.replaces_id;
    IF gateway IS NULL THEN
        INSERT INTO care.device (site_id, name, kind, power)
        VALUES (code.site_id, care.next_device_name('gateway'), 'gateway', 'mains') RETURNING id INTO gateway;
    END IF;
    made := care.add_gateway_credential(gateway, secret, sha512, salt, iterations);
    UPDATE care.pairing_code SET used_at = clock_timestamp(), used_from = left(asking_address, 100),
        box_sha256 = box, credential_id = made WHERE id = code.id;
    INSERT INTO care.pairing_attempt (address, succeeded) VALUES (left(asking_address, 100), true);
    RETURN QUERY SELECT 'paired', made;
END
$$;
COMMENT ON FUNCTION care.redeem_pairing_code IS
    'A right, fresh, unused code makes a gateway with the secret that the box chose; else ''refused'', or ''locked''.';

CREATE FUNCTION care.gateway_secret_parameters(sought text) RETURNS TABLE (salt bytea, iterations integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(credential.secret_salt, substring(sha256(convert_to(decoy.secret || sought, 'UTF8')) FOR 12)),
        coalesce(credential.secret_iterations, 101)
    FROM care.decoy
    LEFT JOIN care.gateway_credential AS credential ON username = sought AND revoked_at IS NULL
$$;
COMMENT ON FUNCTION care.gateway_secret_parameters IS 'With what the web hashes a gateway''s secret; made up for names that do not exist.';

CREATE FUNCTION care.rotate_gateway_secret(
    sought text, hashed bytea, asking_address text, secret text, sha512 bytea, salt bytea, iterations integer
) RETURNS TABLE (outcome text, credential_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    gateway integer;
BEGIN
    IF care.pairing_is_locked(asking_address) THEN
        RETURN QUERY SELECT 'locked', NULL::integer;
        RETURN;
    END IF;
    SELECT device_id INTO gateway FROM care.gateway_credential AS credential
    JOIN care.device ON device.id = device_id AND device.retired_at IS NULL
    WHERE username = sought AND credential.secret_sha512 = hashed AND revoked_at IS NULL
    FOR UPDATE OF credential;
    IF gateway IS NULL THEN
        INSERT INTO care.pairing_attempt (address, succeeded) VALUES (left(asking_address, 100), false);
        RETURN QUERY SELECT 'refused', NULL::integer;
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
COMMENT ON FUNCTION care.rotate_gateway_secret IS
    'A new credential for the gateway that proves the old one, which stays valid until the new was used.';

CREATE FUNCTION care.confirm_gateway_secret(sought text, hashed bytea, asking_address text)
RETURNS TABLE (outcome text, credential_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    found care.gateway_credential;
BEGIN
    IF care.pairing_is_locked(asking_address) THEN
        RETURN QUERY SELECT 'locked', NULL::integer;
        RETURN;
    END IF;
    UPDATE care.gateway_credential SET used_at = coalesce(used_at, clock_timestamp())
    WHERE username = sought AND secret_sha512 = hashed AND revoked_at IS NULL AND told_at IS NOT NULL
    RETURNING * INTO found;
    IF found.id IS NULL THEN
        INSERT INTO care.pairing_attempt (address, succeeded) VALUES (left(asking_address, 100), false);
        RETURN QUERY SELECT 'refused', NULL::integer;
        RETURN;
    END IF;
    UPDATE care.gateway_credential SET revoked_at = clock_timestamp()
    WHERE device_id = found.device_id AND id < found.id AND revoked_at IS NULL;
    RETURN QUERY SELECT 'confirmed', found.id;
END
$$;
COMMENT ON FUNCTION care.confirm_gateway_secret IS
    'The box has signed in at the broker with it and will from now on: the older credentials of its gateway end.';

CREATE FUNCTION care.gateway_of_credential(sought integer)
RETURNS TABLE (site text, gateway text, username text, told boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT site.code, device.name, credential.username, credential.told_at IS NOT NULL
    FROM care.gateway_credential AS credential
    JOIN care.device ON device.id = credential.device_id JOIN care.site ON site.id = device.site_id
    WHERE credential.id = sought AND credential.revoked_at IS NULL
$$;
COMMENT ON FUNCTION care.gateway_of_credential IS 'What a box that has just proved itself is told; `told`: whether the broker knows it yet.';

-- Who keeps gateways up to date (ingest) hears of every change.
CREATE FUNCTION care.tell_gateways_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('anshou_gateways', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_gateways_changed AFTER UPDATE OF device_id, refused_at ON care.device_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_gateways_changed();
CREATE TRIGGER tell_gateways_changed AFTER UPDATE OF revoked_at ON care.gateway_credential
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_gateways_changed();
CREATE TRIGGER tell_gateways_changed AFTER INSERT ON care.gateway_errand
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_gateways_changed();

REVOKE ALL ON FUNCTION care.manages_devices, care.next_device_name, care.pairing_salt, care.pairing_is_locked,
    care.add_gateway_credential, care.redeem_pairing_code, care.gateway_secret_parameters,
    care.rotate_gateway_secret, care.confirm_gateway_secret, care.gateway_of_credential,
    care.tell_gateways_changed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.manages_devices, care.next_device_name, care.pairing_salt,
    care.redeem_pairing_code, care.gateway_secret_parameters, care.rotate_gateway_secret,
    care.confirm_gateway_secret, care.gateway_of_credential TO anshou_web;

GRANT SELECT ON care.device_proposal TO anshou_web;
GRANT UPDATE (device_id, refused_at, decided_by, decided_at) ON care.device_proposal TO anshou_web;
GRANT SELECT (id, device_id, username, made_at, told_at, used_at, revoked_at, revoked_by, forgotten_at)
    ON care.gateway_credential TO anshou_web;
GRANT UPDATE (revoked_at, revoked_by) ON care.gateway_credential TO anshou_web;
GRANT SELECT (id, site_id, replaces_id, made_by, made_at, expires_at, used_at, used_from, credential_id)
    ON care.pairing_code TO anshou_web;
GRANT INSERT (site_id, replaces_id, code_scrypt, made_by, expires_at) ON care.pairing_code TO anshou_web;
GRANT INSERT (site_id, name, kind, model, power) ON care.device TO anshou_web;
GRANT INSERT (device_id, resident_id, room_id, during) ON care.device_assignment TO anshou_web;

GRANT SELECT, INSERT, UPDATE ON care.device_proposal TO anshou_ingest;
GRANT SELECT, UPDATE ON care.gateway_credential TO anshou_ingest;
GRANT SELECT, DELETE ON care.gateway_errand TO anshou_ingest;
GRANT SELECT ON care.device_proposal TO anshou_service;

-- A gateway's status also tells how its outbox and its clock are.
ALTER TABLE readings.device_status ADD COLUMN queued bigint, ADD COLUMN dropped bigint, ADD COLUMN clock_off_ms bigint;
COMMENT ON COLUMN readings.device_status.queued IS 'Messages that wait in a gateway''s outbox.';
COMMENT ON COLUMN readings.device_status.dropped IS 'Readings that had to make room there since it was made.';
COMMENT ON COLUMN readings.device_status.clock_off_ms IS 'By how much its clock was ahead (negative: behind) when it was last set right.';
ALTER TABLE readings.device_state
    ADD COLUMN queued bigint, ADD COLUMN queued_at timestamptz,
    ADD COLUMN dropped bigint, ADD COLUMN dropped_at timestamptz,
    ADD COLUMN clock_off_ms bigint, ADD COLUMN clock_off_at timestamptz;
CREATE OR REPLACE VIEW scoped.device_status WITH (security_barrier) AS
    SELECT device_status.* FROM readings.device_status
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE OR REPLACE VIEW scoped.device_state WITH (security_barrier) AS
    SELECT device_state.* FROM readings.device_state
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));

-- The process that looks after gateways tells how it is, like the others.
ALTER TABLE readings.ingest_health DROP CONSTRAINT ingest_health_process_check,
    ADD CONSTRAINT ingest_health_process_check CHECK (process IN ('readings', 'alarms', 'settle', 'gateways'));
CREATE OR REPLACE VIEW scoped.intake WITH (security_barrier) AS
    SELECT wanted.process,
        extract(epoch FROM clock_timestamp() - max(health.at))::real AS silent_s,
        coalesce(bool_or(health.connected) FILTER (WHERE health.at > clock_timestamp() - interval '30 seconds'), false)
            AS connected,
        max(health.lag_p50_s) FILTER (WHERE health.at > clock_timestamp() - interval '30 seconds') AS lag_p50_s,
        max(health.lag_p99_s) FILTER (WHERE health.at > clock_timestamp() - interval '30 seconds') AS lag_p99_s
    FROM (VALUES ('readings'), ('alarms'), ('settle'), ('gateways')) AS wanted (process)
    LEFT JOIN readings.ingest_health AS health ON health.process = wanted.process
    WHERE care.current_staff_id() IS NOT NULL
    GROUP BY wanted.process;
