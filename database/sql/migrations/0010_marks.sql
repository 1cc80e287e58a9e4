-- Readings that a gateway stamped while it knew its clock to be wrong; and how devices were, forgotten in time.

ALTER TABLE readings.vitals ADD COLUMN clock_suspect boolean;
ALTER TABLE readings.activity ADD COLUMN clock_suspect boolean;
COMMENT ON COLUMN readings.vitals.clock_suspect IS 'True where the gateway knew its clock to be wrong when it gave `time`; null elsewhere, which costs nothing.';
COMMENT ON COLUMN readings.activity.clock_suspect IS 'As in readings.vitals.';
CREATE OR REPLACE VIEW scoped.vitals WITH (security_barrier) AS
    SELECT vitals.* FROM readings.vitals
    WHERE resident_id IN (SELECT id FROM care.resident WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE OR REPLACE VIEW scoped.activity WITH (security_barrier) AS
    SELECT activity.* FROM readings.activity
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));

CREATE FUNCTION readings.drop_device_status(edge timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '5s' AS $$
DECLARE
    dropped bigint;
BEGIN
    IF edge > now() - interval '7 days' THEN
        RAISE EXCEPTION 'statuses younger than 7 days are never dropped' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT count(*) INTO dropped FROM public.drop_chunks('readings.device_status', older_than => edge);
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION readings.drop_device_status IS 'Drops the chunks of device_status that end before `edge`; how many.';
REVOKE ALL ON FUNCTION readings.drop_device_status FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings.drop_device_status TO anshou_ingest;
