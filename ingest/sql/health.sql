-- Queries of ingest/health.py.

-- name: report
INSERT INTO readings.ingest_health AS known (process, worker, started_at, connected, received, stored,
    repeated_batches, careful_stores, dead, received_per_s, lag_p50_s, lag_p99_s, pending, broker_dropped)
VALUES (%(process)s, %(worker)s, %(started_at)s, %(connected)s, %(received)s, %(stored)s,
    %(repeated_batches)s, %(careful_stores)s, %(dead)s, %(received_per_s)s, %(lag_p50_s)s, %(lag_p99_s)s,
    %(pending)s, %(broker_dropped)s)
ON CONFLICT (process, worker) DO UPDATE SET at = clock_timestamp(), started_at = excluded.started_at,
    connected = excluded.connected, received = excluded.received, stored = excluded.stored,
    repeated_batches = excluded.repeated_batches, careful_stores = excluded.careful_stores, dead = excluded.dead,
    received_per_s = excluded.received_per_s, lag_p50_s = excluded.lag_p50_s, lag_p99_s = excluded.lag_p99_s,
    pending = excluded.pending, broker_dropped = excluded.broker_dropped;

-- name: leave
DELETE FROM readings.ingest_health WHERE process = %(process)s AND worker = %(worker)s;

-- name: forget_gone
-- Told by one that is there, so the last of a kind is never forgotten, only missed.
DELETE FROM readings.ingest_health WHERE process = %(process)s AND at < clock_timestamp() - make_interval(secs => %(silent_s)s);

-- name: kept_chunks
SELECT source, to_char(begins_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS begins, kept_because AS because
FROM readings.raw_chunk WHERE dropped_at IS NULL ORDER BY begins_at, source LIMIT %(limit)s;
