-- Names that are the rooms' own at the broker, and devices that a gateway may speak for though they have credentials.
-- depends: 0019_older_history

-- The list is that of protocol/names.py; a test compares the two. A device that has such a name already keeps it in
-- the record, and the broker does not let it in.
CREATE FUNCTION care.refuse_reserved_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.name ~ '^(?:admin|configs|alarms|gateways|ingest|provisioner|simulator)$|^anshou' THEN
        RAISE EXCEPTION 'the name % is reserved', NEW.name USING ERRCODE = 'check_violation', CONSTRAINT = 'device_name_reserved';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION care.refuse_reserved_name IS 'Names of the rooms'' own at the broker are no names for devices.';
CREATE TRIGGER refuse_reserved_name BEFORE INSERT OR UPDATE OF name ON care.device
    FOR EACH ROW EXECUTE FUNCTION care.refuse_reserved_name();

-- Until now a gateway could speak for every device of its site, and which of those with credentials stand behind one
-- is not recorded: all that are there go on as before.
ALTER TABLE care.device ADD COLUMN relayed boolean NOT NULL DEFAULT false;
UPDATE care.device SET relayed = true WHERE secret_sha512 IS NOT NULL AND kind <> 'gateway';
COMMENT ON COLUMN care.device.relayed IS
    'Whether gateways of its site may pass on what it says although it has credentials of its own.';
