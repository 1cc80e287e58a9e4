-- Queries of ingest/refusals.py and ingest/disk.py.

-- name: add
INSERT INTO readings.refusal AS known (reason, name, address, count)
VALUES (%(reason)s, %(name)s, %(address)s, %(count)s)
ON CONFLICT (reason, name, address) DO UPDATE SET count = known.count + excluded.count, last_at = clock_timestamp();

-- name: bound
DELETE FROM readings.refusal WHERE last_at < clock_timestamp() - interval '30 days' OR ctid IN (
    SELECT ctid FROM readings.refusal ORDER BY last_at DESC OFFSET %(kept_max)s);

-- name: disk
INSERT INTO readings.disk (host, free_bytes, total_bytes) VALUES (%(host)s, %(free_bytes)s, %(total_bytes)s)
ON CONFLICT (host) DO UPDATE SET free_bytes = excluded.free_bytes, total_bytes = excluded.total_bytes,
    at = clock_timestamp();
