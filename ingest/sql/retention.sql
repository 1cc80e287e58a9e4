-- Queries of ingest/retention.py.

-- name: old_chunks
-- Chunks of raw data that are wholly before the edge, the oldest first.
SELECT hypertable_name AS source, range_start AS begins_at, range_end AS ends_at
FROM timescaledb_information.chunks
WHERE hypertable_schema = 'readings' AND hypertable_name IN ('vitals', 'activity') AND range_end <= %(edge)s
ORDER BY range_start, hypertable_name;

-- name: drop_proven
SELECT readings.drop_proven(%(source)s, %(begins_at)s, %(ends_at)s) AS kept;

-- name: drop_device_status
SELECT readings.drop_device_status(%(edge)s) AS chunks;

-- name: forget_batches
DELETE FROM readings.batch WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM readings.batch WHERE received_at < now() - make_interval(days => %(days)s) LIMIT %(limit)s));

-- name: forget_dead_letters
DELETE FROM readings.dead_letter WHERE id = ANY (ARRAY(
    SELECT id FROM readings.dead_letter WHERE received_at < now() - make_interval(days => %(days)s) LIMIT %(limit)s));

-- name: forget_attempts
SELECT care.forget_attempts(make_interval(days => %(days)s), %(limit)s) AS forgotten;
