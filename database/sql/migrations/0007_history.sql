-- History that stays right: what of it is stale, rollups by hour and day, and raw data dropped only when proven.
-- depends: 0005_analytics

CREATE TABLE readings.unsettled (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    source text NOT NULL CHECK (source IN ('vitals', 'activity')),
    device_ids integer[] NOT NULL,
    from_s integer[] NOT NULL,
    CHECK (cardinality(device_ids) = cardinality(from_s))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 10000);
-- Written for every micro-batch and gone a second later: compressing it would cost more than it saves.
ALTER TABLE readings.unsettled ALTER device_ids SET STORAGE EXTERNAL, ALTER from_s SET STORAGE EXTERNAL;
COMMENT ON TABLE readings.unsettled IS
    'What a transaction of ingest touched, noted in that same transaction: derived data is stale there until it is settled.';
COMMENT ON COLUMN readings.unsettled.from_s IS
    'For each device and UTC hour the earliest second touched, counted from 2000-01-01 UTC.';

CREATE TABLE readings.dirty_hour (
    source text NOT NULL CHECK (source IN ('vitals', 'activity')),
    device_id integer NOT NULL,
    hour timestamptz NOT NULL CHECK (hour = date_trunc('hour', hour, 'UTC')),
    due_at timestamptz NOT NULL,
    PRIMARY KEY (source, device_id, hour)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE readings.dirty_hour IS 'Hours of devices whose rollups no longer equal the raw data, and when they will be made anew.';
CREATE INDEX dirty_hour_due ON readings.dirty_hour (due_at);

CREATE TABLE readings.vitals_hourly (
    hour timestamptz NOT NULL,
    hr_sum double precision, rr_sum double precision, spo2_sum double precision, temp_sum double precision,
    sbp_sum double precision, dbp_sum double precision, glucose_sum double precision, weight_sum double precision,
    device_id integer NOT NULL,
    resident_id integer,
    row_count integer NOT NULL,
    hr_count integer NOT NULL, rr_count integer NOT NULL, spo2_count integer NOT NULL, temp_count integer NOT NULL,
    sbp_count integer NOT NULL, dbp_count integer NOT NULL, glucose_count integer NOT NULL, weight_count integer NOT NULL,
    hr_min real, hr_max real, rr_min real, rr_max real, spo2_min real, spo2_max real, temp_min real, temp_max real,
    sbp_min real, sbp_max real, dbp_min real, dbp_max real, glucose_min real, glucose_max real, weight_min real, weight_max real
);
COMMENT ON TABLE readings.vitals_hourly IS
    'readings.vitals by device, resident and hour. Sums of 4-byte reals within the signs'' limits are exact in 8 bytes, in whatever order.';
DO $$ BEGIN PERFORM public.create_hypertable('readings.vitals_hourly', public.by_range('hour', interval '30 days'), create_default_indexes => false); END $$;
-- One index for the key and for the charts: whoever looks for a resident need not know the devices.
CREATE UNIQUE INDEX vitals_hourly_key ON readings.vitals_hourly (resident_id, hour, device_id) NULLS NOT DISTINCT;

CREATE TABLE readings.vitals_daily (
    hr_sum double precision, rr_sum double precision, spo2_sum double precision, temp_sum double precision,
    sbp_sum double precision, dbp_sum double precision, glucose_sum double precision, weight_sum double precision,
    day date NOT NULL,
    resident_id integer NOT NULL,
    row_count integer NOT NULL,
    hr_count integer NOT NULL, rr_count integer NOT NULL, spo2_count integer NOT NULL, temp_count integer NOT NULL,
    sbp_count integer NOT NULL, dbp_count integer NOT NULL, glucose_count integer NOT NULL, weight_count integer NOT NULL,
    hr_min real, hr_max real, rr_min real, rr_max real, spo2_min real, spo2_max real, temp_min real, temp_max real,
    sbp_min real, sbp_max real, dbp_min real, dbp_max real, glucose_min real, glucose_max real, weight_min real, weight_max real,
    PRIMARY KEY (resident_id, day)
);
COMMENT ON TABLE readings.vitals_daily IS 'readings.vitals by resident and day; days begin at midnight in Asia/Shanghai.';

CREATE TABLE readings.activity_hourly (
    hour timestamptz NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    device_id integer NOT NULL,
    resident_id integer,
    room_id integer,
    event_count integer NOT NULL,
    event text NOT NULL
);
COMMENT ON TABLE readings.activity_hourly IS 'readings.activity by device, resident, room, event and hour.';
DO $$ BEGIN PERFORM public.create_hypertable('readings.activity_hourly', public.by_range('hour', interval '30 days'), create_default_indexes => false); END $$;
CREATE UNIQUE INDEX activity_hourly_key ON readings.activity_hourly (device_id, hour, event, resident_id, room_id) NULLS NOT DISTINCT;

CREATE TABLE readings.raw_chunk (
    source text NOT NULL CHECK (source IN ('vitals', 'activity')),
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > begins_at),
    row_count bigint NOT NULL DEFAULT 0,
    late_row_count bigint NOT NULL DEFAULT 0,
    kept_because text,
    dropped_at timestamptz,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, begins_at),
    CHECK ((dropped_at IS NULL) = (kept_because IS NOT NULL))
);
COMMENT ON TABLE readings.raw_chunk IS 'Chunks of raw data that came of age: dropped after proof, or kept and why.';
COMMENT ON COLUMN readings.raw_chunk.row_count IS 'Rows that were dropped with the chunk.';
COMMENT ON COLUMN readings.raw_chunk.late_row_count IS
    'Rows that came after the chunk was dropped: nothing to merge them with is left, so they are in no rollup.';

-- Batches and dead letters are forgotten by age.
CREATE INDEX batch_received ON readings.batch USING brin (received_at);

-- The proof and the drop are one transaction, and the only way for ingest to drop anything: it does not own the tables.
CREATE FUNCTION readings.wrong_vitals_hours(begins timestamptz, ends timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH raw AS (
        SELECT device_id, resident_id, public.time_bucket('1 hour', time) AS hour, count(*)::integer AS row_count,
            sum(hr::double precision), count(hr)::integer, min(hr), max(hr),
            sum(rr::double precision), count(rr)::integer, min(rr), max(rr),
            sum(spo2::double precision), count(spo2)::integer, min(spo2), max(spo2),
            sum(temp::double precision), count(temp)::integer, min(temp), max(temp),
            sum(sbp::double precision), count(sbp)::integer, min(sbp), max(sbp),
            sum(dbp::double precision), count(dbp)::integer, min(dbp), max(dbp),
            sum(glucose::double precision), count(glucose)::integer, min(glucose), max(glucose),
            sum(weight::double precision), count(weight)::integer, min(weight), max(weight)
        FROM readings.vitals WHERE time >= begins AND time < ends GROUP BY 1, 2, 3
    ), rolled AS (
        SELECT device_id, resident_id, hour, row_count,
            hr_sum, hr_count, hr_min, hr_max,
            rr_sum, rr_count, rr_min, rr_max,
            spo2_sum, spo2_count, spo2_min, spo2_max,
            temp_sum, temp_count, temp_min, temp_max,
            sbp_sum, sbp_count, sbp_min, sbp_max,
            dbp_sum, dbp_count, dbp_min, dbp_max,
            glucose_sum, glucose_count, glucose_min, glucose_max,
            weight_sum, weight_count, weight_min, weight_max
        FROM readings.vitals_hourly WHERE hour >= begins AND hour < ends
    )
    SELECT count(*) FROM ((TABLE raw EXCEPT TABLE rolled) UNION ALL (TABLE rolled EXCEPT TABLE raw)) AS wrong
$$;
COMMENT ON FUNCTION readings.wrong_vitals_hours IS 'How many rows of vitals_hourly differ from the raw data of that time, are missing or too many.';

CREATE FUNCTION readings.wrong_activity_hours(begins timestamptz, ends timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH raw AS (
        SELECT device_id, resident_id, room_id, event, public.time_bucket('1 hour', time) AS hour,
            count(*)::integer AS event_count, min(time) AS first_at, max(time) AS last_at
        FROM readings.activity WHERE time >= begins AND time < ends GROUP BY 1, 2, 3, 4, 5
    ), rolled AS (
        SELECT device_id, resident_id, room_id, event, hour, event_count, first_at, last_at
        FROM readings.activity_hourly WHERE hour >= begins AND hour < ends
    )
    SELECT count(*) FROM ((TABLE raw EXCEPT TABLE rolled) UNION ALL (TABLE rolled EXCEPT TABLE raw)) AS wrong
$$;
COMMENT ON FUNCTION readings.wrong_activity_hours IS 'How many rows of activity_hourly differ from the raw data of that time, are missing or too many.';

CREATE FUNCTION readings.drop_proven(dropped_source text, begins timestamptz, ends timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '5s' AS $$
DECLARE
    hypertable text := CASE dropped_source WHEN 'vitals' THEN 'readings.vitals' WHEN 'activity' THEN 'readings.activity' END;
    chunk text;
    rows_dropped bigint;
    wrong bigint;
    kept text;
BEGIN
    IF ends > now() - interval '7 days' THEN
        RAISE EXCEPTION 'raw data younger than 7 days is never dropped' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT format('%I.%I', chunk_schema, chunk_name) INTO chunk FROM timescaledb_information.chunks
        WHERE hypertable_schema = 'readings' AND hypertable_name = dropped_source
          AND range_start = begins AND range_end = ends;
    IF chunk IS NULL THEN
        RAISE EXCEPTION 'no chunk of % from % to %', hypertable, begins, ends USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Whoever is writing into it finishes first, and nobody begins; each statement below sees what they committed.
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', chunk);
    EXECUTE format('SELECT count(*) FROM %s', chunk) INTO rows_dropped;
    IF EXISTS (SELECT FROM readings.raw_chunk WHERE source = dropped_source AND begins_at = begins AND dropped_at IS NOT NULL) THEN
        PERFORM public.drop_chunks(hypertable, older_than => ends, newer_than => begins);
        UPDATE readings.raw_chunk SET late_row_count = late_row_count + rows_dropped, checked_at = clock_timestamp()
            WHERE source = dropped_source AND begins_at = begins;
        RETURN NULL;
    END IF;
    wrong := CASE dropped_source WHEN 'vitals' THEN readings.wrong_vitals_hours(begins, ends)
                                 ELSE readings.wrong_activity_hours(begins, ends) END;
    kept := CASE
        WHEN EXISTS (SELECT FROM readings.unsettled CROSS JOIN LATERAL unnest(from_s) AS touched (s)
                     WHERE source = dropped_source AND to_timestamp(946684800 + s) >= begins AND to_timestamp(946684800 + s) < ends)
            THEN 'it has rows that are not settled'
        WHEN EXISTS (SELECT FROM readings.dirty_hour WHERE source = dropped_source AND hour >= begins AND hour < ends)
            THEN 'it has hours that are not rolled up'
        WHEN wrong > 0 THEN format('%s rows of its rollup are not what its raw data gives', wrong)
    END;
    IF kept IS NULL THEN
        PERFORM public.drop_chunks(hypertable, older_than => ends, newer_than => begins);
    END IF;
    INSERT INTO readings.raw_chunk AS known (source, begins_at, ends_at, row_count, kept_because, dropped_at)
    VALUES (dropped_source, begins, ends, CASE WHEN kept IS NULL THEN rows_dropped ELSE 0 END, kept,
        CASE WHEN kept IS NULL THEN clock_timestamp() END)
    ON CONFLICT (source, begins_at) DO UPDATE SET row_count = excluded.row_count, kept_because = excluded.kept_because,
        dropped_at = excluded.dropped_at, checked_at = clock_timestamp();
    RETURN kept;
END
$$;
COMMENT ON FUNCTION readings.drop_proven IS
    'Drops one chunk of raw data if its rollup is exactly what it gives; else the reason why it was kept.';

CREATE VIEW scoped.vitals_hourly WITH (security_barrier) AS
    SELECT vitals_hourly.* FROM readings.vitals_hourly
    WHERE resident_id IN (SELECT id FROM care.resident WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.vitals_daily WITH (security_barrier) AS
    SELECT vitals_daily.* FROM readings.vitals_daily
    WHERE resident_id IN (SELECT id FROM care.resident WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));
CREATE VIEW scoped.activity_hourly WITH (security_barrier) AS
    SELECT activity_hourly.* FROM readings.activity_hourly
    WHERE device_id IN (SELECT id FROM care.device WHERE site_id = ANY ((SELECT care.visible_sites())::integer[]));

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA readings FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings.drop_proven, readings.wrong_vitals_hours, readings.wrong_activity_hours TO anshou_ingest;
GRANT SELECT ON scoped.vitals_hourly, scoped.vitals_daily, scoped.activity_hourly TO anshou_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON readings.unsettled, readings.dirty_hour, readings.vitals_hourly,
    readings.vitals_daily, readings.activity_hourly TO anshou_ingest;
GRANT SELECT ON readings.raw_chunk TO anshou_ingest;
GRANT SELECT ON readings.unsettled, readings.dirty_hour, readings.vitals_hourly, readings.vitals_daily,
    readings.activity_hourly, readings.raw_chunk TO anshou_service;
