-- How intake is: each process of ingest tells it here, so that people see it on a page.
-- depends: 0007_history

CREATE TABLE readings.ingest_health (
    process text NOT NULL CHECK (process IN ('readings', 'alarms', 'settle')),
    worker text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz NOT NULL,
    connected boolean NOT NULL,
    received bigint NOT NULL,
    stored bigint NOT NULL,
    repeated_batches bigint NOT NULL,
    careful_stores bigint NOT NULL,
    dead bigint NOT NULL,
    received_per_s real NOT NULL,
    lag_p50_s real,
    lag_p99_s real,
    pending integer NOT NULL,
    broker_dropped bigint,
    PRIMARY KEY (process, worker)
) WITH (fillfactor = 50);
COMMENT ON TABLE readings.ingest_health IS
    'How each process of ingest is, told every ten seconds by itself; one that was stopped in order takes its row away.';
COMMENT ON COLUMN readings.ingest_health.received IS 'Messages since it started, as all counts here.';
COMMENT ON COLUMN readings.ingest_health.lag_p50_s IS
    'From the devices'' own time to the commit, of the readings since the last report; null: there were none.';
COMMENT ON COLUMN readings.ingest_health.connected IS 'Whether the broker sends it messages; of settle, whether it runs.';
COMMENT ON COLUMN readings.ingest_health.broker_dropped IS 'Messages that the broker says it has dropped since it started.';

-- The whole county's intake is one, so everybody who is signed in may know whether it works; its inner life is the county's.
CREATE VIEW scoped.intake WITH (security_barrier) AS
    SELECT wanted.process,
        extract(epoch FROM clock_timestamp() - max(health.at))::real AS silent_s,
        coalesce(bool_or(health.connected) FILTER (WHERE health.at > clock_timestamp() - interval '30 seconds'), false)
            AS connected,
        max(health.lag_p50_s) FILTER (WHERE health.at > clock_timestamp() - interval '30 seconds') AS lag_p50_s,
        max(health.lag_p99_s) FILTER (WHERE health.at > clock_timestamp() - interval '30 seconds') AS lag_p99_s
    FROM (VALUES ('readings'), ('alarms'), ('settle')) AS wanted (process)
    LEFT JOIN readings.ingest_health AS health ON health.process = wanted.process
    WHERE care.current_staff_id() IS NOT NULL
    GROUP BY wanted.process;
COMMENT ON VIEW scoped.intake IS
    'How each part of intake is. Processes of a kind take over from each other, so it works while one of them does; `silent_s` is null where none is known.';

CREATE VIEW scoped.ingest_health WITH (security_barrier) AS
    SELECT ingest_health.* FROM readings.ingest_health
    WHERE (SELECT scope FROM care.staff WHERE id = care.current_staff_id()) = 'county';

GRANT SELECT, INSERT, UPDATE, DELETE ON readings.ingest_health TO anshou_ingest;
GRANT SELECT ON readings.ingest_health TO anshou_service;
GRANT SELECT ON scoped.intake, scoped.ingest_health TO anshou_web;
