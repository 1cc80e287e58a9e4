-- Readings that were stored before rollups were kept have no note that would ever settle them: their hours are marked.
-- depends: 0018_policy

INSERT INTO readings.dirty_hour (source, device_id, hour, due_at)
SELECT DISTINCT 'vitals', device_id, date_trunc('hour', time, 'UTC'), clock_timestamp()
FROM readings.vitals
WHERE time < (SELECT min(applied_at_utc) AT TIME ZONE 'UTC' FROM public._yoyo_migration WHERE migration_id = '0007_history')
ON CONFLICT DO NOTHING;

INSERT INTO readings.dirty_hour (source, device_id, hour, due_at)
SELECT DISTINCT 'activity', device_id, date_trunc('hour', time, 'UTC'), clock_timestamp()
FROM readings.activity
WHERE time < (SELECT min(applied_at_utc) AT TIME ZONE 'UTC' FROM public._yoyo_migration WHERE migration_id = '0007_history')
ON CONFLICT DO NOTHING;
