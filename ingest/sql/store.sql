-- name: new_batches
-- Which of these batches of gateways are new. The others were committed before, and only lost their receipt.
INSERT INTO readings.batch (gateway_id, batch_id)
SELECT * FROM unnest(%(gateway_ids)s::integer[], %(batch_ids)s::text[])
ON CONFLICT DO NOTHING
RETURNING gateway_id, batch_id;

-- name: merge_vitals
-- Rows of which some are there already. A second message of the same device and instant adds the signs that
-- the first did not carry, and never alters one.
INSERT INTO readings.vitals AS stored
    (time, device_id, resident_id, clock_replaced, {each sign: $})
SELECT to_timestamp(time_us / 1000000.0), device_id, resident_id, clock_replaced, {each sign: $}
FROM unnest(%(time_us)s::bigint[], %(device_id)s::integer[], %(resident_id)s::integer[],
    %(clock_replaced)s::boolean[], {each sign: %($)s::real[]})
    AS new (time_us, device_id, resident_id, clock_replaced, {each sign: $})
ORDER BY device_id, time_us
ON CONFLICT (device_id, time) DO UPDATE SET {each sign: $ = coalesce(stored.$, excluded.$)}
WHERE {any sign: (stored.$ IS NULL AND excluded.$ IS NOT NULL)};

-- name: insert_activity
INSERT INTO readings.activity (time, device_id, resident_id, room_id, clock_replaced, event)
SELECT to_timestamp(time_us / 1000000.0), device_id, resident_id, room_id, clock_replaced, event
FROM unnest(%(time_us)s::bigint[], %(device_id)s::integer[], %(resident_id)s::integer[],
    %(room_id)s::integer[], %(clock_replaced)s::boolean[], %(event)s::text[])
    AS new (time_us, device_id, resident_id, room_id, clock_replaced, event)
ON CONFLICT DO NOTHING;

-- name: insert_status
INSERT INTO readings.device_status (time, device_id, clock_replaced, online, battery, rssi, fw, queued, dropped, clock_off_ms)
SELECT to_timestamp(time_us / 1000000.0), device_id, clock_replaced, online, battery, rssi, fw, queued, dropped,
    clock_off_ms
FROM unnest(%(time_us)s::bigint[], %(device_id)s::integer[], %(clock_replaced)s::boolean[],
    %(online)s::boolean[], %(battery)s::smallint[], %(rssi)s::smallint[], %(fw)s::text[],
    %(queued)s::bigint[], %(dropped)s::bigint[], %(clock_off_ms)s::bigint[])
    AS new (time_us, device_id, clock_replaced, online, battery, rssi, fw, queued, dropped, clock_off_ms)
ON CONFLICT DO NOTHING;

-- name: suspect_vitals
-- Mark rows that were stored in this transaction.
UPDATE readings.vitals SET clock_suspect = true
FROM unnest(%(device_ids)s::integer[], %(times_us)s::bigint[]) AS doubtful (device_id, time_us)
WHERE vitals.device_id = doubtful.device_id AND vitals.time = to_timestamp(doubtful.time_us / 1000000.0);

-- name: suspect_activity
UPDATE readings.activity SET clock_suspect = true
FROM unnest(%(device_ids)s::integer[], %(times_us)s::bigint[]) AS doubtful (device_id, time_us)
WHERE activity.device_id = doubtful.device_id AND activity.time = to_timestamp(doubtful.time_us / 1000000.0);

-- name: insert_dead_letters
INSERT INTO readings.dead_letter (topic, payload, payload_bytes, reason, detail, site_id, device_id)
VALUES (%(topic)s, %(payload)s, %(payload_bytes)s, %(reason)s, %(detail)s, %(site_id)s, %(device_id)s);
