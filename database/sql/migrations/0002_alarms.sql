-- Alarms, their append-only timeline, and the signals that raised them.
-- depends: 0001_care_record

CREATE TYPE care.alarm_priority AS ENUM ('low', 'medium', 'high');
CREATE TYPE care.alarm_state AS ENUM (
    'open', 'acknowledged', 'arrived', 'resolved', 'closed', 'cancelled', 'cleared'
);
CREATE TYPE care.alarm_step AS ENUM (
    'raised', 'repeated', 'acknowledged', 'arrived', 'resolved', 'closed', 'cancelled', 'cleared',
    'condition_ended', 'escalated', 'noted'
);

CREATE TABLE care.alarm (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id integer NOT NULL REFERENCES care.site,
    resident_id integer REFERENCES care.resident,
    room_id integer REFERENCES care.room,
    device_id integer REFERENCES care.device,
    subject text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN resident_id IS NOT NULL THEN 'resident:' || resident_id
             WHEN room_id IS NOT NULL THEN 'room:' || room_id
             WHEN device_id IS NOT NULL THEN 'device:' || device_id
             ELSE 'site:' || site_id END
    ) STORED,
    kind text NOT NULL,
    priority care.alarm_priority NOT NULL,
    state care.alarm_state NOT NULL DEFAULT 'open',
    source text NOT NULL CHECK (source IN ('device', 'detector', 'staff')),
    detector text,
    evidence jsonb NOT NULL DEFAULT '{}',
    signal_count integer NOT NULL DEFAULT 1 CHECK (signal_count > 0),
    escalation_level smallint NOT NULL DEFAULT 0,
    raised_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_signal_at timestamptz NOT NULL,
    condition_ended_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by integer REFERENCES care.staff,
    arrived_at timestamptz,
    resolved_at timestamptz,
    ended_at timestamptz,
    family_notice text,
    CHECK ((state IN ('closed', 'cancelled', 'cleared')) = (ended_at IS NOT NULL))
);
COMMENT ON TABLE care.alarm IS 'One alarm from its raising to its end. Written only by care.alarms.';
COMMENT ON COLUMN care.alarm.raised_at IS 'When it happened by the clock of the device or the window of the detector.';
COMMENT ON COLUMN care.alarm.opened_at IS 'When the centre knew; answer times count from here.';

-- A second signal for the same person and kind joins the alarm that somebody is still on the way for.
-- Once that is resolved, a new signal is a new alarm: a repeat must never hide behind old paperwork.
CREATE UNIQUE INDEX alarm_one_active ON care.alarm (subject, kind)
    WHERE state IN ('open', 'acknowledged', 'arrived');
CREATE INDEX alarm_unended ON care.alarm (site_id, priority DESC, opened_at)
    WHERE state NOT IN ('closed', 'cancelled', 'cleared');
CREATE INDEX alarm_of_resident ON care.alarm (resident_id, opened_at DESC);
CREATE INDEX alarm_of_site ON care.alarm (site_id, opened_at DESC);

CREATE TABLE care.alarm_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm_id bigint NOT NULL REFERENCES care.alarm,
    site_id integer NOT NULL REFERENCES care.site,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    step care.alarm_step NOT NULL,
    state_after care.alarm_state NOT NULL,
    staff_id integer REFERENCES care.staff,
    actor text NOT NULL CHECK (actor <> ''),
    note text,
    detail jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE care.alarm_event IS 'Append-only timeline: who did what, when, with what note.';
COMMENT ON COLUMN care.alarm_event.actor IS 'Name at that time: a person, a device or a detector.';
CREATE INDEX alarm_event_of_alarm ON care.alarm_event (alarm_id, id);
CREATE INDEX alarm_event_of_site ON care.alarm_event (site_id, id);

CREATE FUNCTION care.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON care.alarm_event
    FOR EACH STATEMENT EXECUTE FUNCTION care.refuse_change();

-- The desks listen here. The payload names rows, never persons.
CREATE FUNCTION care.tell_alarm_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('anshou_alarm', json_build_object(
        'event', NEW.id, 'alarm', NEW.alarm_id, 'site', NEW.site_id, 'step', NEW.step)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_alarm_event AFTER INSERT ON care.alarm_event
    FOR EACH ROW EXECUTE FUNCTION care.tell_alarm_event();

CREATE TABLE care.alarm_signal (
    device_id integer NOT NULL REFERENCES care.device,
    signal_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('raised', 'cleared', 'cancelled')),
    kind text NOT NULL,
    time timestamptz NOT NULL,
    clock_replaced boolean NOT NULL DEFAULT false,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    alarm_id bigint REFERENCES care.alarm,
    PRIMARY KEY (device_id, signal_id, state)
);
COMMENT ON TABLE care.alarm_signal IS 'Every signal as the device sent it; the key makes a second delivery harmless.';
CREATE INDEX alarm_signal_of_alarm ON care.alarm_signal (alarm_id);
