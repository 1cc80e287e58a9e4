-- What people found when they looked: was the alarm right, and why. Append-only, so that a changed mind leaves its trace.
-- depends: 0011_analytics

CREATE TABLE care.alarm_feedback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm_id bigint NOT NULL REFERENCES care.alarm,
    site_id integer NOT NULL REFERENCES care.site,
    staff_id integer NOT NULL REFERENCES care.staff,
    actor text NOT NULL CHECK (actor <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    verdict text NOT NULL CHECK (verdict IN ('true', 'false', 'unsure')),
    reason text CHECK (reason ~ '^[a-z][a-z_]{0,62}$'),
    note text CHECK (note <> '' AND length(note) <= 500)
);
COMMENT ON TABLE care.alarm_feedback IS
    'Append-only: whether an alarm was right and why, who said so and when. The last line of an alarm holds. Written only by care.feedback.';
COMMENT ON COLUMN care.alarm_feedback.actor IS 'Name at that time.';
COMMENT ON COLUMN care.alarm_feedback.reason IS 'One of those that care.feedback offers for this kind of alarm; null: not said.';
CREATE INDEX alarm_feedback_of_alarm ON care.alarm_feedback (alarm_id, id DESC);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON care.alarm_feedback
    FOR EACH STATEMENT EXECUTE FUNCTION care.refuse_change();

CREATE FUNCTION care.tell_alarm_feedback() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('anshou_alarm', json_build_object('alarm', NEW.alarm_id, 'site', NEW.site_id)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_alarm_feedback AFTER INSERT ON care.alarm_feedback
    FOR EACH ROW EXECUTE FUNCTION care.tell_alarm_feedback();
REVOKE ALL ON FUNCTION care.tell_alarm_feedback FROM PUBLIC;

ALTER TABLE care.alarm_feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON care.alarm_feedback TO anshou_web
    USING (site_id = ANY ((SELECT care.visible_sites())::integer[]))
    WITH CHECK (site_id = ANY ((SELECT care.visible_sites())::integer[])
        AND EXISTS (SELECT FROM care.alarm WHERE alarm.id = alarm_id AND alarm.site_id = alarm_feedback.site_id));
-- Nobody speaks in another's name.
CREATE POLICY own_name ON care.alarm_feedback AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK (EXISTS (SELECT FROM care.staff
        WHERE staff.id = care.current_staff_id() AND staff.id = staff_id AND staff.name = actor));
CREATE POLICY centre ON care.alarm_feedback TO anshou_service, anshou_ingest USING (true) WITH CHECK (true);

-- When it was said is the database's to say.
GRANT SELECT ON care.alarm_feedback TO anshou_web, anshou_service;
GRANT INSERT (alarm_id, site_id, staff_id, actor, verdict, reason, note) ON care.alarm_feedback TO anshou_web;
