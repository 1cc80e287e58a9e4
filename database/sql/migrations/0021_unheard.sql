-- What never reaches the record, told to people: whom the broker refuses, what boxes do not understand, a full disk.
-- depends: 0020_before_adoption

CREATE TABLE readings.refusal (
    reason text NOT NULL CHECK (reason IN ('not_authorised', 'too_large')),
    name text NOT NULL,
    address text NOT NULL,
    count bigint NOT NULL,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reason, name, address)
);
COMMENT ON TABLE readings.refusal IS
    'Whom the broker refused, by the name that they gave (MQTT client id) and their address; the 500 latest.';
COMMENT ON COLUMN readings.refusal.address IS 'Empty where the broker does not tell.';
CREATE INDEX refusal_last ON readings.refusal (last_at DESC);

CREATE TABLE readings.disk (
    host text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    free_bytes bigint NOT NULL,
    total_bytes bigint NOT NULL
);
COMMENT ON TABLE readings.disk IS 'How much room is left where the centre keeps its data, told by intake every ten seconds.';

CREATE TABLE care.unheard (
    gateway_id integer NOT NULL REFERENCES care.device,
    key text NOT NULL,
    path text NOT NULL,
    count bigint NOT NULL,
    reason text NOT NULL,
    example text,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (gateway_id, key, path)
);
COMMENT ON TABLE care.unheard IS
    'What devices said and their box did not understand, by device and field, with the last example; without secrets. Bounded by care/unheard.py.';
COMMENT ON COLUMN care.unheard.count IS 'As the box counts: since it was started.';

CREATE TABLE care.taught (
    gateway_id integer NOT NULL REFERENCES care.device,
    key text NOT NULL,
    path text NOT NULL,
    says text NOT NULL CHECK (says <> ''),
    raised_by text,
    taught_by integer NOT NULL REFERENCES care.staff,
    taught_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (gateway_id, key, path)
);
COMMENT ON TABLE care.taught IS 'What people have said that a field means; the box is told with its configuration.';
COMMENT ON COLUMN care.taught.raised_by IS 'Of an alarm or an event: the value that means it; null: of a measurement.';

DO $$
DECLARE
    scoped_table text;
BEGIN
    FOREACH scoped_table IN ARRAY ARRAY['unheard', 'taught'] LOOP
        EXECUTE format('ALTER TABLE care.%I ENABLE ROW LEVEL SECURITY', scoped_table);
        EXECUTE format('CREATE POLICY scope ON care.%I TO anshou_web USING (gateway_id IN (SELECT device.id FROM care.device))', scoped_table);
        EXECUTE format('CREATE POLICY centre ON care.%I TO anshou_service, anshou_ingest USING (true) WITH CHECK (true)', scoped_table);
    END LOOP;
END
$$;
CREATE POLICY managers_teach ON care.taught AS RESTRICTIVE FOR INSERT TO anshou_web
    WITH CHECK ((SELECT care.manages_devices()) AND taught_by = (SELECT care.current_staff_id()));
CREATE POLICY managers_unteach ON care.taught AS RESTRICTIVE FOR DELETE TO anshou_web
    USING ((SELECT care.manages_devices()));
CREATE POLICY managers_forget ON care.unheard AS RESTRICTIVE FOR DELETE TO anshou_web
    USING ((SELECT care.manages_devices()));
GRANT SELECT, DELETE ON care.unheard TO anshou_web;
GRANT SELECT, INSERT, DELETE ON care.taught TO anshou_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON care.unheard TO anshou_ingest;
GRANT SELECT ON care.taught TO anshou_ingest;
GRANT SELECT ON care.unheard, care.taught TO anshou_service;

CREATE FUNCTION care.tell_taught() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('anshou_gateways', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION care.tell_taught FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.tell_taught TO anshou_web;
CREATE TRIGGER tell_taught AFTER INSERT OR DELETE ON care.taught
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_taught();

-- Names that nobody has registered are the county's business; those of a device are its place's.
CREATE VIEW scoped.refusal WITH (security_barrier) AS
    SELECT refusal.*, device.site_id, device.kind AS device_kind
    FROM readings.refusal
    LEFT JOIN care.device ON device.name = refusal.name OR device.name = substring(refusal.name FROM '^(.*)\.\d+$')
    WHERE device.site_id = ANY ((SELECT care.visible_sites())::integer[])
       OR (SELECT scope FROM care.staff WHERE id = care.current_staff_id()) = 'county';
CREATE VIEW scoped.disk WITH (security_barrier) AS
    SELECT disk.* FROM readings.disk WHERE care.current_staff_id() IS NOT NULL;
GRANT SELECT ON scoped.refusal, scoped.disk TO anshou_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON readings.refusal, readings.disk TO anshou_ingest;
GRANT SELECT ON readings.refusal, readings.disk TO anshou_service;

-- Whether something can be written at all: a database whose disk is full still answers questions.
CREATE TABLE care.write_probe (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);
COMMENT ON TABLE care.write_probe IS 'Written when somebody asks for the health of the centre, to see whether it can be.';
INSERT INTO care.write_probe DEFAULT VALUES;
ALTER TABLE care.write_probe ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION care.probe_write() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    room bigint;
BEGIN
    -- The write-ahead log has to take it; at most every two seconds, for anybody may ask.
    UPDATE care.write_probe SET at = clock_timestamp() WHERE at < clock_timestamp() - interval '2 seconds';
    SELECT min(free_bytes) INTO room FROM readings.disk WHERE at > clock_timestamp() - interval '5 minutes';
    RETURN coalesce(room >= 64 * 1024 * 1024, true);
END
$$;
COMMENT ON FUNCTION care.probe_write IS
    'Writes, or fails; false where intake tells that less than 64 MiB of the disk are left: the next file may not fit.';
REVOKE ALL ON FUNCTION care.probe_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.probe_write TO anshou_web;
