-- How intake is. Every query runs in a session's transaction: row security keeps the scope.

-- name: intake
SELECT process, silent_s, connected, lag_p50_s, lag_p99_s FROM scoped.intake ORDER BY process;

-- name: ingest_health
-- Every process of intake, for the county; the others see none.
SELECT process, worker, at, extract(epoch FROM clock_timestamp() - at)::float AS silent_s, started_at, connected, received,
    stored, repeated_batches, careful_stores, dead, received_per_s, lag_p50_s, lag_p99_s, pending, broker_dropped
FROM scoped.ingest_health ORDER BY process, worker;
