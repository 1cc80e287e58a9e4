-- Scope: sessions, row security, and what each role may do.
-- depends: 0003_readings

CREATE TABLE care.session (
    token_sha256 bytea PRIMARY KEY,
    staff_id integer NOT NULL REFERENCES care.staff,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE care.session IS 'Who is signed in. Only the SHA-256 of a token is kept; no role but the owner can read it.';
CREATE INDEX session_staff ON care.session (staff_id);

CREATE TABLE care.sign_in_attempt (
    username text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    succeeded boolean NOT NULL
);
COMMENT ON TABLE care.sign_in_attempt IS 'For the lock after repeated failures, and for the audit.';
CREATE INDEX sign_in_attempt_recent ON care.sign_in_attempt (username, at DESC);

CREATE TABLE care.decoy (
    secret text NOT NULL DEFAULT gen_random_uuid()::text || gen_random_uuid()::text
);
COMMENT ON TABLE care.decoy IS 'Makes salts for user names that do not exist, so that nobody can ask which do.';
INSERT INTO care.decoy DEFAULT VALUES;

-- A session's token on the connection (set_config('anshou.session', token, true)) is the only key to rows:
-- whoever holds the web's role without a valid token sees nothing, and a token shows only its own scope.
CREATE FUNCTION care.current_staff_id() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT session.staff_id
    FROM care.session JOIN care.staff ON staff.id = session.staff_id
    WHERE session.token_sha256 = sha256(convert_to(current_setting('anshou.session', true), 'UTF8'))
      AND session.expires_at > now() AND staff.left_at IS NULL
$$;

CREATE FUNCTION care.visible_sites() RETURNS integer[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(array_agg(site.id), '{}')
    FROM care.staff JOIN care.site ON CASE staff.scope
        WHEN 'county' THEN true
        WHEN 'township' THEN site.township = staff.township
        WHEN 'operator' THEN site.operator_id = staff.operator_id
        WHEN 'site' THEN EXISTS (
            SELECT FROM care.staff_site WHERE staff_site.staff_id = staff.id AND staff_site.site_id = site.id)
        END
    WHERE staff.id = care.current_staff_id()
$$;

CREATE FUNCTION care.password_parameters(sought text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(
        (SELECT substring(password_argon2 FROM '^(.*)\$[^$]*$') FROM care.staff
         WHERE username = sought AND left_at IS NULL),
        (SELECT '$argon2id$v=19$m=65536,t=3,p=4$'
             || translate(encode(substring(sha256(convert_to(secret || sought, 'UTF8')) FOR 16), 'base64'), '=', '')
         FROM care.decoy)
    )
$$;
COMMENT ON FUNCTION care.password_parameters IS 'Argon2 parameters and salt (no hash) with which the web hashes what was typed.';

CREATE FUNCTION care.sign_in(sought text, hashed text, valid_for interval) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
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
        WHERE username = sought AND password_argon2 = hashed AND left_at IS NULL;
    INSERT INTO care.sign_in_attempt (username, succeeded) VALUES (left(sought, 63), person IS NOT NULL);
    IF person IS NULL THEN
        RETURN NULL;
    END IF;
    token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
    DELETE FROM care.session WHERE expires_at < clock_timestamp();
    INSERT INTO care.session (token_sha256, staff_id, expires_at)
        VALUES (sha256(convert_to(token, 'UTF8')), person, clock_timestamp() + least(valid_for, interval '30 days'));
    RETURN token;
END
$$;
COMMENT ON FUNCTION care.sign_in IS 'A new session token for a right user name and hash; null when wrong; ''locked'' after 10 failures in 5 minutes.';

CREATE FUNCTION care.sign_out() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    DELETE FROM care.session
    WHERE token_sha256 = sha256(convert_to(current_setting('anshou.session', true), 'UTF8'))
$$;

CREATE FUNCTION care.choose_language(chosen text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE care.staff SET language = chosen WHERE id = care.current_staff_id()
$$;

DO $$
DECLARE
    scoped_table text;
    scope_of jsonb := '{
        "site": "id = ANY ((SELECT care.visible_sites())::integer[])",
        "room": "site_id = ANY ((SELECT care.visible_sites())::integer[])",
        "bed": "room_id IN (SELECT room.id FROM care.room)",
        "resident": "site_id = ANY ((SELECT care.visible_sites())::integer[])",
        "residence": "site_id = ANY ((SELECT care.visible_sites())::integer[])",
        "device": "site_id = ANY ((SELECT care.visible_sites())::integer[])",
        "device_assignment": "device_id IN (SELECT device.id FROM care.device)",
        "operator": "id IN (SELECT site.operator_id FROM care.site) OR id = (SELECT operator_id FROM care.staff WHERE staff.id = care.current_staff_id())",
        "staff": "id = (SELECT care.current_staff_id())",
        "staff_site": "staff_id = (SELECT care.current_staff_id())",
        "alarm": "site_id = ANY ((SELECT care.visible_sites())::integer[])",
        "alarm_event": "site_id = ANY ((SELECT care.visible_sites())::integer[])",
        "alarm_signal": "device_id IN (SELECT device.id FROM care.device)"
    }';
BEGIN
    FOR scoped_table IN SELECT jsonb_object_keys(scope_of) LOOP
        EXECUTE format('ALTER TABLE care.%I ENABLE ROW LEVEL SECURITY', scoped_table);
        EXECUTE format('CREATE POLICY scope ON care.%I TO anshou_web USING (%s)', scoped_table, scope_of ->> scoped_table);
        EXECUTE format('CREATE POLICY centre ON care.%I TO anshou_service, anshou_ingest USING (true) WITH CHECK (true)', scoped_table);
    END LOOP;
END
$$;
-- Nobody writes into a timeline in another's name.
CREATE POLICY own_name ON care.alarm_event AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK (staff_id = (SELECT care.current_staff_id()));
ALTER TABLE care.session ENABLE ROW LEVEL SECURITY;
ALTER TABLE care.sign_in_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE care.decoy ENABLE ROW LEVEL SECURITY;

-- What the web sees of the hypertables: the rows of residents and devices in scope, and nothing else.
CREATE SCHEMA scoped;
COMMENT ON SCHEMA scoped IS 'Views on `readings` that keep only what the scope of the connection allows.';

CREATE VIEW scoped.vitals WITH (security_barrier) AS
    SELECT vitals.* FROM readings.vitals
    WHERE resident_id IN (SELECT id FROM care.resident WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.activity WITH (security_barrier) AS
    SELECT activity.* FROM readings.activity
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.device_status WITH (security_barrier) AS
    SELECT device_status.* FROM readings.device_status
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.resident_state WITH (security_barrier) AS
    SELECT resident_state.* FROM readings.resident_state
    WHERE resident_id IN (SELECT id FROM care.resident WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.device_state WITH (security_barrier) AS
    SELECT device_state.* FROM readings.device_state
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.dead_letter WITH (security_barrier) AS
    SELECT dead_letter.* FROM readings.dead_letter
    WHERE site_id = ANY ((SELECT care.visible_sites())::integer[])
       OR (site_id IS NULL AND (SELECT scope FROM care.staff WHERE id = care.current_staff_id()) = 'county');

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA care FROM PUBLIC;
GRANT USAGE ON SCHEMA care TO anshou_web, anshou_ingest, anshou_service;
GRANT USAGE ON SCHEMA readings TO anshou_ingest, anshou_service;
GRANT USAGE ON SCHEMA scoped TO anshou_web;

GRANT EXECUTE ON FUNCTION care.current_staff_id, care.visible_sites, care.password_parameters, care.sign_in,
    care.sign_out, care.choose_language TO anshou_web;
GRANT SELECT ON ALL TABLES IN SCHEMA scoped TO anshou_web;
GRANT SELECT ON care.operator, care.site, care.room, care.bed, care.resident, care.residence,
    care.device_assignment, care.staff_site, care.alarm, care.alarm_event, care.alarm_signal TO anshou_web;
GRANT SELECT (id, site_id, name, kind, model, power, added_at, retired_at) ON care.device TO anshou_web;
GRANT SELECT (id, username, name, role, phone, scope, township, operator_id, language) ON care.staff TO anshou_web;
GRANT UPDATE (state, acknowledged_at, acknowledged_by, arrived_at, resolved_at, ended_at, family_notice)
    ON care.alarm TO anshou_web;
GRANT INSERT ON care.alarm_event TO anshou_web;

GRANT SELECT ON ALL TABLES IN SCHEMA care TO anshou_ingest;
REVOKE SELECT ON care.session, care.sign_in_attempt, care.decoy, care.staff FROM anshou_ingest;
GRANT SELECT (id, name) ON care.staff TO anshou_ingest;
GRANT INSERT, UPDATE ON care.alarm TO anshou_ingest;
GRANT INSERT ON care.alarm_event TO anshou_ingest;
GRANT INSERT, UPDATE ON care.alarm_signal TO anshou_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA readings TO anshou_ingest;

GRANT SELECT ON ALL TABLES IN SCHEMA care TO anshou_service;
REVOKE SELECT ON care.session, care.sign_in_attempt, care.decoy FROM anshou_service;
GRANT INSERT, UPDATE ON care.alarm TO anshou_service;
GRANT INSERT ON care.alarm_event TO anshou_service;
GRANT SELECT ON ALL TABLES IN SCHEMA readings TO anshou_service;
