-- What devices say: hypertables, latest state, dead letters. Written only by ingest.
-- depends: 0002_alarms

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE SCHEMA readings;
COMMENT ON SCHEMA readings IS 'Hypertables cannot carry row security, so the web has no right in here; it reads the views in `scoped`.';

CREATE TABLE readings.vitals (
    time timestamptz NOT NULL,
    device_id integer NOT NULL,
    resident_id integer,
    clock_replaced boolean NOT NULL DEFAULT false,
    hr real,
    rr real,
    spo2 real,
    temp real,
    sbp real,
    dbp real,
    glucose real,
    weight real,
    PRIMARY KEY (device_id, time)
);
COMMENT ON TABLE readings.vitals IS 'Vital signs by the clock of the device. Units: /min, /min, %, Cel, mm[Hg], mm[Hg], mmol/L, kg.';
COMMENT ON COLUMN readings.vitals.clock_replaced IS 'The clock of the device was absurd or missing: `time` is the time of receipt.';
DO $$ BEGIN PERFORM public.create_hypertable('readings.vitals', public.by_range('time', interval '1 day'), create_default_indexes => false); END $$;

CREATE TABLE readings.activity (
    time timestamptz NOT NULL,
    device_id integer NOT NULL,
    resident_id integer,
    room_id integer,
    clock_replaced boolean NOT NULL DEFAULT false,
    event text NOT NULL,
    PRIMARY KEY (device_id, time, event)
);
COMMENT ON TABLE readings.activity IS 'What people did, as sensors saw it.';
DO $$ BEGIN PERFORM public.create_hypertable('readings.activity', public.by_range('time', interval '1 day'), create_default_indexes => false); END $$;

CREATE TABLE readings.device_status (
    time timestamptz NOT NULL,
    device_id integer NOT NULL,
    clock_replaced boolean NOT NULL DEFAULT false,
    online boolean NOT NULL,
    battery smallint,
    rssi smallint,
    fw text,
    PRIMARY KEY (device_id, time, online)
);
COMMENT ON TABLE readings.device_status IS 'How devices were: battery in %, signal strength in dBm.';
DO $$ BEGIN PERFORM public.create_hypertable('readings.device_status', public.by_range('time', interval '7 days'), create_default_indexes => false); END $$;

CREATE TABLE readings.resident_state (
    resident_id integer PRIMARY KEY,
    hr real, hr_at timestamptz,
    rr real, rr_at timestamptz,
    spo2 real, spo2_at timestamptz,
    temp real, temp_at timestamptz,
    sbp real, sbp_at timestamptz,
    dbp real, dbp_at timestamptz,
    glucose real, glucose_at timestamptz,
    weight real, weight_at timestamptz,
    activity text, activity_at timestamptz,
    activity_room_id integer,
    in_bed boolean, in_bed_at timestamptz
) WITH (fillfactor = 70);
COMMENT ON TABLE readings.resident_state IS 'The latest of each sign by the time of the device: late data never replaces newer.';

CREATE TABLE readings.device_state (
    device_id integer PRIMARY KEY,
    last_seen_at timestamptz,
    online boolean, online_at timestamptz,
    battery smallint, battery_at timestamptz,
    rssi smallint, rssi_at timestamptz,
    fw text, fw_at timestamptz
) WITH (fillfactor = 70);
COMMENT ON TABLE readings.device_state IS 'When each device last spoke itself (a will is not its voice), by its own clock unless that is absurd; and its latest status.';

CREATE TABLE readings.batch (
    gateway_id integer NOT NULL,
    batch_id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (gateway_id, batch_id)
);
COMMENT ON TABLE readings.batch IS 'Batches of gateways that are committed: one delivered again is only receipted again.';

CREATE TABLE readings.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    topic text NOT NULL,
    payload bytea NOT NULL,
    payload_bytes integer NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    site_id integer,
    device_id integer
);
COMMENT ON TABLE readings.dead_letter IS 'Messages that could not be stored, with the reason. `payload` is cut at 16 KiB; `payload_bytes` is its whole length.';
CREATE INDEX dead_letter_received ON readings.dead_letter (received_at DESC);
