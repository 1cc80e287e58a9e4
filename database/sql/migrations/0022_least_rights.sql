-- Each role may do just its work; who took a step, when, and where it leads is the database's to say.
-- depends: 0019_older_history

-- Without pg_temp at the end it is searched first, for types and tables: whoever may make temporary objects could have
-- run code of theirs as the owner.
DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN
        SELECT oid FROM pg_proc WHERE pronamespace::regnamespace::text IN ('care', 'readings', 'analytics', 'scoped')
            AND 'search_path=pg_catalog' = ANY (proconfig)
    LOOP
        EXECUTE format('ALTER ROUTINE %s SET search_path = pg_catalog, pg_temp', signature);
    END LOOP;
END
$$;

-- Steps

CREATE FUNCTION care.is_centre() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(session_user, 'anshou_ingest', 'MEMBER') OR pg_has_role(session_user, 'anshou_service', 'MEMBER')
$$;
COMMENT ON FUNCTION care.is_centre IS
    'Whether a process of the centre is connected, or the owner; not the pages, behind which people sit.';

CREATE TABLE care.alarm_move (
    step care.alarm_step NOT NULL,
    is_urgent boolean NOT NULL,
    state care.alarm_state NOT NULL,
    after care.alarm_state NOT NULL,
    PRIMARY KEY (step, is_urgent, state)
);
COMMENT ON TABLE care.alarm_move IS
    'Where the steps of people lead from each state, by whether the priority is high; where there is no row, nowhere.';
-- As in alarms/lifecycle.py; a test compares the two.
INSERT INTO care.alarm_move (step, is_urgent, state, after)
SELECT step::care.alarm_step, is_urgent, state::care.alarm_state, after::care.alarm_state
FROM (VALUES ('acknowledged', 'open', 'acknowledged'), ('arrived', 'acknowledged', 'arrived'),
        ('resolved', 'acknowledged', 'resolved'), ('resolved', 'arrived', 'resolved'), ('closed', 'resolved', 'closed'),
        ('cancelled', 'open', 'cancelled'), ('cancelled', 'acknowledged', 'cancelled')) AS move (step, state, after)
CROSS JOIN (VALUES (false), (true)) AS urgency (is_urgent)
-- At high priority somebody must arrive first.
WHERE NOT (is_urgent AND step = 'resolved' AND state = 'acknowledged')
UNION ALL
SELECT 'noted', is_urgent, state, state
FROM unnest(enum_range(NULL::care.alarm_state)) AS state CROSS JOIN (VALUES (false), (true)) AS urgency (is_urgent);

CREATE FUNCTION care.lock_alarm(sought bigint) RETURNS SETOF care.alarm
LANGUAGE sql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM care.alarm
    WHERE id = sought AND (care.is_centre() OR site_id = ANY (care.visible_sites())) FOR NO KEY UPDATE
$$;
COMMENT ON FUNCTION care.lock_alarm IS
    'The alarm, if it is in scope; locked, so that of two steps at once one sees what the other did.';

CREATE FUNCTION care.take_step(
    sought bigint, taken care.alarm_step, by_name text, by_staff integer, done_at timestamptz,
    said text, told_family text, given_key text, facts jsonb
) RETURNS SETOF care.alarm
LANGUAGE plpgsql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    standing care.alarm;
    moved_to care.alarm_state;
BEGIN
    IF NOT care.is_centre() THEN
        SELECT name, id INTO by_name, by_staff FROM care.staff WHERE id = care.current_staff_id();
        IF by_staff IS NULL THEN
            RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'insufficient_privilege';
        END IF;
        done_at := NULL;
    END IF;
    done_at := coalesce(done_at, clock_timestamp());
    SELECT * INTO standing FROM care.lock_alarm(sought);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT after INTO moved_to FROM care.alarm_move
    WHERE step = taken AND state = standing.state AND is_urgent = (standing.priority = 'high');
    IF moved_to IS NULL THEN
        RAISE EXCEPTION 'alarm % is %: it cannot be % from there', sought, standing.state, taken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'alarm_move';
    END IF;
    IF moved_to = 'closed' AND standing.priority = 'high' AND coalesce(told_family, '') = '' THEN
        RAISE EXCEPTION 'alarm % has high priority: it is closed when the family was told', sought
            USING ERRCODE = 'check_violation', CONSTRAINT = 'alarm_family_notice';
    END IF;
    IF taken <> 'noted' THEN
        UPDATE care.alarm SET state = moved_to,
            acknowledged_at = CASE moved_to WHEN 'acknowledged' THEN done_at ELSE acknowledged_at END,
            acknowledged_by = CASE moved_to WHEN 'acknowledged' THEN by_staff ELSE acknowledged_by END,
            arrived_at = CASE moved_to WHEN 'arrived' THEN done_at ELSE arrived_at END,
            resolved_at = CASE moved_to WHEN 'resolved' THEN done_at ELSE resolved_at END,
            ended_at = CASE WHEN care.is_ended(moved_to) THEN done_at ELSE ended_at END,
            family_notice = CASE moved_to WHEN 'closed' THEN coalesce(told_family, family_notice) ELSE family_notice END
        WHERE id = sought RETURNING * INTO standing;
    END IF;
    INSERT INTO care.alarm_event (alarm_id, site_id, at, step, state_after, staff_id, actor, note, detail, key)
    VALUES (sought, standing.site_id, done_at, taken, standing.state, by_staff, by_name, left(said, 2000),
        coalesce(facts, '{}') || CASE WHEN told_family <> '' THEN jsonb_build_object('family_notice', told_family) ELSE '{}' END,
        given_key);
    RETURN NEXT standing;
END
$$;
COMMENT ON FUNCTION care.take_step IS
    'A step of people, with its line in the timeline: the alarm as it then stands; nothing outside the scope. Who took it '
    'from a page is who is signed in there, and it was taken now; only the centre may record for somebody, and afterwards.';

REVOKE ALL ON FUNCTION care.is_centre, care.lock_alarm, care.take_step FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.is_centre, care.lock_alarm, care.take_step TO anshou_web, anshou_ingest, anshou_service;
REVOKE UPDATE (state, acknowledged_at, acknowledged_by, arrived_at, resolved_at, ended_at, family_notice)
    ON care.alarm FROM anshou_web;
REVOKE INSERT ON care.alarm_event FROM anshou_web;
DROP POLICY own_name ON care.alarm_event;

-- What is decided about devices: when is the database's to say, and nothing is undone.

CREATE FUNCTION care.date_decision() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'gateway_credential' THEN
        NEW.revoked_at := coalesce(OLD.revoked_at, CASE WHEN NEW.revoked_at IS NOT NULL THEN clock_timestamp() END);
    ELSE
        NEW.decided_at := clock_timestamp();
        NEW.refused_at := CASE WHEN NEW.refused_at IS NOT NULL THEN coalesce(OLD.refused_at, clock_timestamp()) END;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION care.date_decision IS 'What was revoked stays so, since then; what is decided is decided now.';
REVOKE ALL ON FUNCTION care.date_decision FROM PUBLIC;
CREATE TRIGGER date_decision BEFORE UPDATE OF revoked_at ON care.gateway_credential
    FOR EACH ROW EXECUTE FUNCTION care.date_decision();
CREATE TRIGGER date_decision BEFORE UPDATE OF device_id, refused_at, decided_at ON care.device_proposal
    FOR EACH ROW EXECUTE FUNCTION care.date_decision();

CREATE POLICY stays_revoked ON care.gateway_credential AS RESTRICTIVE FOR UPDATE TO anshou_web
    USING (revoked_at IS NULL) WITH CHECK (revoked_at IS NOT NULL);
-- A decision stays one; and what a gateway hears is a device of its own site.
CREATE POLICY stays_decided ON care.device_proposal AS RESTRICTIVE FOR UPDATE TO anshou_web
    USING (true) WITH CHECK (refused_at IS NOT NULL AND device_id IS NULL OR EXISTS (
        SELECT FROM care.device AS adopted JOIN care.device AS gateway ON gateway.site_id = adopted.site_id
        WHERE adopted.id = device_id AND gateway.id = gateway_id));
CREATE POLICY from_now_on ON care.device_assignment AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK (lower(during) = now() AND upper_inf(during));

CREATE OR REPLACE FUNCTION care.next_device_name(stem text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- What is no kind could be a pattern, and ask which names there are.
    IF stem IS NULL OR stem !~ '^[a-z][a-z0-9]*(-[a-z][a-z0-9]*){0,4}$' OR length(stem) > 40 THEN
        RAISE EXCEPTION 'not the kind of a device' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN (
        SELECT stem || '-' || to_char(coalesce(max(substring(name FROM length(stem) + 2)::bigint), 0) + 1, 'FM0000')
        FROM care.device WHERE starts_with(name, stem || '-') AND substring(name FROM length(stem) + 2) ~ '^\d{1,9}$');
END
$$;

-- Who may read and write what: just what their statements name. Of the tables below a role has all columns but those
-- named; a column that comes later is for nobody until it is granted.

DO $$
DECLARE
    hidden record;
BEGIN
    FOR hidden IN
        SELECT * FROM (VALUES
            ('anshou_ingest', 'site', ARRAY['name', 'address', 'phone']),
            ('anshou_ingest', 'device', ARRAY['secret_sha512', 'secret_salt', 'secret_iterations']),
            ('anshou_ingest', 'gateway_credential', ARRAY['secret_sha512', 'secret_salt', 'secret_iterations']),
            ('anshou_service', 'site', ARRAY['address', 'phone']),
            ('anshou_service', 'resident', ARRAY['name', 'phone', 'family_contact', 'notes']),
            ('anshou_service', 'device', ARRAY['secret_sha512', 'secret_salt', 'secret_iterations']),
            ('anshou_service', 'staff', ARRAY['password_argon2', 'phone'])
        ) AS wanted (role_name, table_name, columns)
    LOOP
        EXECUTE format('REVOKE SELECT ON care.%I FROM %I', hidden.table_name, hidden.role_name);
        EXECUTE (
            SELECT format('GRANT SELECT (%s) ON care.%I TO %I',
                string_agg(quote_ident(attname), ', ' ORDER BY attnum), hidden.table_name, hidden.role_name)
            FROM pg_attribute
            WHERE attrelid = format('care.%I', hidden.table_name)::regclass AND attnum > 0 AND NOT attisdropped
              AND attname <> ALL (hidden.columns));
    END LOOP;
END
$$;
REVOKE SELECT ON care.operator, care.resident, care.staff_site FROM anshou_ingest;
REVOKE SELECT (id, name) ON care.staff FROM anshou_ingest;
GRANT SELECT (id, site_id) ON care.resident TO anshou_ingest;
REVOKE UPDATE ON care.gateway_credential FROM anshou_ingest;
GRANT UPDATE (told_at, revoked_at, forgotten_at) ON care.gateway_credential TO anshou_ingest;
