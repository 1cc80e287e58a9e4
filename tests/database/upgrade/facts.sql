-- What an upgrade must not change, in the schema of the older version and in today's alike.

-- name: rows
SELECT jsonb_build_object(
    'care.operator', (SELECT count(*) FROM care.operator),
    'care.site', (SELECT count(*) FROM care.site),
    'care.room', (SELECT count(*) FROM care.room),
    'care.bed', (SELECT count(*) FROM care.bed),
    'care.resident', (SELECT count(*) FROM care.resident),
    'care.residence', (SELECT count(*) FROM care.residence),
    'care.device', (SELECT count(*) FROM care.device),
    'care.device_assignment', (SELECT count(*) FROM care.device_assignment),
    'care.staff', (SELECT count(*) FROM care.staff),
    'care.staff_site', (SELECT count(*) FROM care.staff_site),
    'care.alarm', (SELECT count(*) FROM care.alarm),
    'care.alarm_event', (SELECT count(*) FROM care.alarm_event),
    'care.alarm_signal', (SELECT count(*) FROM care.alarm_signal),
    'readings.vitals', (SELECT count(*) FROM readings.vitals),
    'readings.activity', (SELECT count(*) FROM readings.activity),
    'readings.device_status', (SELECT count(*) FROM readings.device_status),
    'readings.resident_state', (SELECT count(*) FROM readings.resident_state),
    'readings.device_state', (SELECT count(*) FROM readings.device_state)
) AS fact;

-- name: alarms_by_state
SELECT jsonb_object_agg(state, n) AS fact FROM (SELECT state, count(*) AS n FROM care.alarm GROUP BY state) AS by_state;

-- name: alarms
SELECT md5(string_agg(concat_ws('|', id, site_id, resident_id, device_id, kind, priority, state, detector, evidence,
    raised_at, opened_at, acknowledged_at, resolved_at, ended_at), ';' ORDER BY id)) AS fact FROM care.alarm;

-- name: timelines
SELECT md5(string_agg(concat_ws('|', alarm_id, at, step, actor, staff_id, note), ';' ORDER BY id)) AS fact
FROM care.alarm_event;

-- name: people
SELECT md5(string_agg(concat_ws('|', id, site_id, name, sex, born_on, category, self_care_level, family_contact), ';'
    ORDER BY id)) AS fact FROM care.resident;

-- name: devices
SELECT md5(string_agg(concat_ws('|', id, site_id, name, kind, model, power, secret_sha512, secret_salt), ';'
    ORDER BY id)) AS fact FROM care.device;

-- name: staff
-- Of a password the parameters and the salt: what is kept of its hash is another.
SELECT md5(string_agg(concat_ws('|', id, username, name, role, scope, substring(password_argon2 FROM '^(.*)\$')), ';'
    ORDER BY id)) AS fact
FROM care.staff;

-- name: vital_signs
SELECT jsonb_build_object('hr', sum(hr::float8), 'rr', sum(rr::float8), 'spo2', sum(spo2::float8),
    'temp', round(sum(temp::numeric), 1), 'sbp', sum(sbp::float8), 'dbp', sum(dbp::float8),
    'first', min(time), 'last', max(time)) AS fact FROM readings.vitals;

-- name: activity_by_event
SELECT jsonb_object_agg(event, n) AS fact
FROM (SELECT event, count(*) AS n FROM readings.activity GROUP BY event) AS by_event;

-- name: latest
SELECT md5(string_agg(concat_ws('|', resident_id, hr, hr_at, rr, rr_at, spo2, spo2_at, temp, temp_at, sbp, sbp_at,
    in_bed, in_bed_at), ';' ORDER BY resident_id)) AS fact FROM readings.resident_state;

-- name: last_heard
SELECT md5(string_agg(concat_ws('|', device_id, last_seen_at, online, battery), ';' ORDER BY device_id)) AS fact
FROM readings.device_state;
