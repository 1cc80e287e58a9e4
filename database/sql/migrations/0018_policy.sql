-- What the county has decided: after how long, how much, at which hours. Read here by analytics, pages and SQL alike.
-- depends: 0016_detector_settings

CREATE FUNCTION care.sets_policy() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce((
        SELECT scope = 'county' AND role = 'county_supervisor' FROM care.staff
        WHERE id = care.current_staff_id()), false)
$$;
COMMENT ON FUNCTION care.sets_policy IS 'Whether who is signed in may change the policy: supervisors of the county.';

-- Defaults and checks are those of care/policy.py; a test compares the two.
CREATE TABLE care.policy (
    revision integer PRIMARY KEY CHECK (revision >= 1),
    at timestamptz NOT NULL,
    staff_id integer REFERENCES care.staff,
    actor text NOT NULL CHECK (actor <> ''),
    device_silence_mains_s integer NOT NULL DEFAULT 600
        CHECK (device_silence_mains_s BETWEEN 120 AND 86400 AND device_silence_mains_s % 60 = 0),
    device_silence_battery_s integer NOT NULL DEFAULT 90000
        CHECK (device_silence_battery_s BETWEEN 3600 AND 604800 AND device_silence_battery_s % 3600 = 0),
    device_silence_on_demand_s integer NOT NULL DEFAULT 604800
        CHECK (device_silence_on_demand_s BETWEEN 86400 AND 2592000 AND device_silence_on_demand_s % 86400 = 0),
    battery_low_percent integer NOT NULL DEFAULT 10 CHECK (battery_low_percent BETWEEN 5 AND 50),
    night_from_h integer NOT NULL DEFAULT 22 CHECK (night_from_h BETWEEN 0 AND 23),
    night_to_h integer NOT NULL DEFAULT 4 CHECK (night_to_h BETWEEN 0 AND 23),
    bed_exit_s integer NOT NULL DEFAULT 1800
        CHECK (bed_exit_s BETWEEN 300 AND 14400 AND bed_exit_s % 60 = 0),
    wandering_s integer NOT NULL DEFAULT 600
        CHECK (wandering_s BETWEEN 120 AND 7200 AND wandering_s % 60 = 0),
    no_turning_s integer NOT NULL DEFAULT 10800
        CHECK (no_turning_s BETWEEN 3600 AND 21600 AND no_turning_s % 60 = 0),
    absence_days integer NOT NULL DEFAULT 3 CHECK (absence_days BETWEEN 1 AND 14),
    absence_red_days integer NOT NULL DEFAULT 15 CHECK (absence_red_days BETWEEN 1 AND 40),
    bed_unused_nights integer NOT NULL DEFAULT 7 CHECK (bed_unused_nights BETWEEN 1 AND 40),
    answer_within_s integer NOT NULL DEFAULT 60 CHECK (answer_within_s BETWEEN 15 AND 600),
    arrive_within_s integer NOT NULL DEFAULT 900
        CHECK (arrive_within_s BETWEEN 120 AND 7200 AND arrive_within_s % 60 = 0),
    CHECK (device_silence_mains_s <= device_silence_battery_s),
    CHECK (device_silence_battery_s <= device_silence_on_demand_s),
    CHECK (absence_days <= absence_red_days),
    CHECK (answer_within_s <= arrive_within_s),
    -- A night has 2 to 14 hours, and the hour that begins at two o'clock is one of them.
    CHECK ((night_to_h - night_from_h + 24) % 24 BETWEEN 2 AND 14
        AND (26 - night_from_h) % 24 < (night_to_h - night_from_h + 24) % 24)
);
COMMENT ON TABLE care.policy IS
    'Append-only: what the county has decided, whole in each row, with who decided it and when. The latest row holds: care.effective_policy.';
COMMENT ON COLUMN care.policy.revision IS 'One more than that of the row before; who has seen an older one is refused.';
COMMENT ON COLUMN care.policy.actor IS 'Name at that time; who was signed in to the machine where no member of staff did it.';
COMMENT ON COLUMN care.policy.device_silence_mains_s IS 'A device on mains that was silent for so long counts as offline.';
COMMENT ON COLUMN care.policy.device_silence_battery_s IS 'So for one with a battery.';
COMMENT ON COLUMN care.policy.device_silence_on_demand_s IS 'So for one that speaks only when somebody uses it.';
COMMENT ON COLUMN care.policy.battery_low_percent IS 'A battery of at most so much is low.';
COMMENT ON COLUMN care.policy.night_from_h IS 'Local hour from which on beds and doors are watched for who gets up or goes out,';
COMMENT ON COLUMN care.policy.night_to_h IS 'and until which.';
COMMENT ON COLUMN care.policy.bed_exit_s IS 'After how long out of bed at night somebody should look.';
COMMENT ON COLUMN care.policy.wandering_s IS 'How long after a door at night nothing was seen inside.';
COMMENT ON COLUMN care.policy.no_turning_s IS 'How long somebody who cannot turn may lie without being turned.';
COMMENT ON COLUMN care.policy.absence_days IS 'Without any sign for so many days somebody is hardly living there.';
COMMENT ON COLUMN care.policy.absence_red_days IS 'So many days for the subsidised: then it is urgent to check.';
COMMENT ON COLUMN care.policy.bed_unused_nights IS 'A bed that nobody lay in for so many nights is unused.';
COMMENT ON COLUMN care.policy.answer_within_s IS 'An alarm should be acknowledged within so long.';
COMMENT ON COLUMN care.policy.arrive_within_s IS 'Somebody should be with the person within so long.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON care.policy
    FOR EACH STATEMENT EXECUTE FUNCTION care.refuse_change();

CREATE FUNCTION care.sign_policy() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    -- Two who have seen the same revision meet at the primary key.
    IF NEW.revision <> 1 + (SELECT coalesce(max(revision), 0) FROM care.policy) THEN
        RAISE unique_violation USING MESSAGE = 'the policy was changed meanwhile',
            DETAIL = 'the policy was changed meanwhile', CONSTRAINT = 'policy_pkey';
    END IF;
    NEW.at := clock_timestamp();
    NEW.staff_id := care.current_staff_id();
    NEW.actor := coalesce((SELECT name FROM care.staff WHERE id = NEW.staff_id), NEW.actor, session_user::text);
    RETURN NEW;
END
$$;
CREATE TRIGGER sign_policy BEFORE INSERT ON care.policy FOR EACH ROW EXECUTE FUNCTION care.sign_policy();

CREATE FUNCTION care.tell_policy() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('anshou_policy', NEW.revision::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_policy AFTER INSERT ON care.policy FOR EACH ROW EXECUTE FUNCTION care.tell_policy();

INSERT INTO care.policy (revision, actor) VALUES (1, 'anshou');

CREATE VIEW care.effective_policy WITH (security_invoker) AS
    SELECT * FROM care.policy ORDER BY revision DESC LIMIT 1;
COMMENT ON VIEW care.effective_policy IS 'One row: what holds now.';

CREATE VIEW care.policy_change WITH (security_invoker) AS
    SELECT revision, at, staff_id, actor, name, old, new
    FROM (
        SELECT policy.revision, policy.at, policy.staff_id, policy.actor, field.key AS name, field.value::integer AS new,
            lag(field.value::integer) OVER (PARTITION BY field.key ORDER BY policy.revision) AS old
        FROM care.policy CROSS JOIN LATERAL jsonb_each_text(
            to_jsonb(policy) - ARRAY['revision', 'at', 'staff_id', 'actor']) AS field
    ) AS step
    WHERE old <> new;
COMMENT ON VIEW care.policy_change IS 'Each value that a revision has changed, and what it was before.';

CREATE VIEW care.device_silence WITH (security_invoker) AS
    SELECT device.id AS device_id, make_interval(secs => CASE
        WHEN device.kind IN ('bp_cuff', 'glucometer', 'thermometer', 'patrol_tag') THEN policy.device_silence_on_demand_s
        -- A gateway speaks for others every minute, whatever it runs on.
        WHEN device.power = 'mains' OR device.kind = 'gateway' THEN policy.device_silence_mains_s
        ELSE policy.device_silence_battery_s END) AS silent_after
    FROM care.device CROSS JOIN care.effective_policy AS policy;
COMMENT ON VIEW care.device_silence IS 'After how long a silence each device counts as offline, by its kind and power.';

ALTER TABLE care.policy ENABLE ROW LEVEL SECURITY;
CREATE POLICY signed_in ON care.policy FOR SELECT TO anshou_web USING ((SELECT care.current_staff_id()) IS NOT NULL);
CREATE POLICY supervisors ON care.policy FOR INSERT TO anshou_web
    WITH CHECK ((SELECT care.sets_policy()) AND staff_id = (SELECT care.current_staff_id()));
CREATE POLICY centre ON care.policy FOR SELECT TO anshou_service, anshou_ingest USING (true);

REVOKE ALL ON FUNCTION care.sets_policy, care.sign_policy, care.tell_policy FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.sets_policy TO anshou_web;
GRANT SELECT ON care.policy, care.effective_policy, care.policy_change, care.device_silence
    TO anshou_web, anshou_ingest, anshou_service;
-- Who did it and when is the database's to say.
GRANT INSERT (revision, device_silence_mains_s, device_silence_battery_s, device_silence_on_demand_s, battery_low_percent,
    night_from_h, night_to_h, bed_exit_s, wandering_s, no_turning_s, absence_days, absence_red_days, bed_unused_nights,
    answer_within_s, arrive_within_s) ON care.policy TO anshou_web;
