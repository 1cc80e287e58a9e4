-- Who may change what watches over a person, and every such change: append-only, written by the database itself.
-- depends: 0015_wrong_clocks

CREATE FUNCTION care.sets_detectors() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce((
        SELECT scope <> 'site' OR role IN ('home_director', 'shift_leader') FROM care.staff
        WHERE id = care.current_staff_id()), false)
$$;
COMMENT ON FUNCTION care.sets_detectors IS
    'Whether who is signed in may change what watches over a resident: supervisors, directors and shift leaders of homes.';

CREATE TABLE care.detector_setting_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resident_id integer NOT NULL REFERENCES care.resident,
    detector text NOT NULL,
    at timestamptz NOT NULL,
    staff_id integer REFERENCES care.staff,
    actor text NOT NULL CHECK (actor <> ''),
    is_on boolean NOT NULL,
    off_until timestamptz,
    tolerance real NOT NULL,
    active_from_h smallint,
    active_to_h smallint,
    reason text
);
COMMENT ON TABLE care.detector_setting_change IS
    'Append-only: what care.detector_setting was set to, by whom, when and why. Written by a trigger on that table only.';
COMMENT ON COLUMN care.detector_setting_change.actor IS 'Name at that time; the database role where no member of staff did it.';
CREATE INDEX detector_setting_change_of_resident ON care.detector_setting_change (resident_id, id DESC);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON care.detector_setting_change
    FOR EACH STATEMENT EXECUTE FUNCTION care.refuse_change();

CREATE FUNCTION care.date_detector_setting() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER date_detector_setting BEFORE INSERT OR UPDATE ON care.detector_setting
    FOR EACH ROW EXECUTE FUNCTION care.date_detector_setting();

CREATE FUNCTION care.record_detector_setting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO care.detector_setting_change (resident_id, detector, at, staff_id, actor,
        is_on, off_until, tolerance, active_from_h, active_to_h, reason)
    VALUES (NEW.resident_id, NEW.detector, NEW.changed_at, NEW.changed_by,
        coalesce((SELECT name FROM care.staff WHERE id = NEW.changed_by), session_user::text),
        NEW.is_on, NEW.off_until, NEW.tolerance, NEW.active_from_h, NEW.active_to_h, NEW.reason);
    RETURN NULL;
END
$$;
CREATE TRIGGER record_detector_setting AFTER INSERT OR UPDATE ON care.detector_setting
    FOR EACH ROW EXECUTE FUNCTION care.record_detector_setting();

-- What was set before anybody kept count.
INSERT INTO care.detector_setting_change (resident_id, detector, at, staff_id, actor,
    is_on, off_until, tolerance, active_from_h, active_to_h, reason)
SELECT resident_id, detector, changed_at, changed_by, coalesce(staff.name, session_user::text),
    is_on, off_until, tolerance, active_from_h, active_to_h, reason
FROM care.detector_setting LEFT JOIN care.staff ON staff.id = changed_by
ORDER BY changed_at;

-- From the pages nothing goes off without an end: the longest absence that a detector allows is 30 days.
CREATE POLICY leaders_add ON care.detector_setting AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK ((SELECT care.sets_detectors()) AND is_on
        AND (off_until IS NULL OR off_until < now() + interval '32 days') AND length(coalesce(reason, '')) <= 500);
CREATE POLICY leaders_change ON care.detector_setting AS RESTRICTIVE FOR UPDATE TO anshou_web
    USING ((SELECT care.sets_detectors()))
    WITH CHECK ((SELECT care.sets_detectors()) AND is_on
        AND (off_until IS NULL OR off_until < now() + interval '32 days') AND length(coalesce(reason, '')) <= 500);

ALTER TABLE care.detector_setting_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON care.detector_setting_change TO anshou_web
    USING (resident_id IN (SELECT resident.id FROM care.resident));
CREATE POLICY centre ON care.detector_setting_change TO anshou_service, anshou_ingest USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION care.sets_detectors, care.date_detector_setting, care.record_detector_setting FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.sets_detectors TO anshou_web;
GRANT SELECT ON care.detector_setting_change TO anshou_web, anshou_service;
-- Going back to the usual is a change like any other; and when it was done is the database's to say.
REVOKE INSERT, UPDATE, DELETE ON care.detector_setting FROM anshou_web;
GRANT INSERT (resident_id, detector, is_on, off_until, tolerance, active_from_h, active_to_h, reason, changed_by)
    ON care.detector_setting TO anshou_web;
GRANT UPDATE (is_on, off_until, tolerance, active_from_h, active_to_h, reason, changed_by)
    ON care.detector_setting TO anshou_web;
