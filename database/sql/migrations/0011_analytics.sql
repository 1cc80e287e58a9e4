-- What detectors need beyond the pulse: whose sensors show whom, when the slow ones ran, what carers have set for a person.
-- depends: 0008_intake

CREATE TABLE analytics.run (
    detector text PRIMARY KEY,
    at timestamptz NOT NULL
);
COMMENT ON TABLE analytics.run IS
    'When each detector that does not run every minute last did, so that a restart neither repeats nor forgets it.';

CREATE FUNCTION analytics.observers(at timestamptz)
    RETURNS TABLE (resident_id integer, device_id integer, since timestamptz)
LANGUAGE sql STABLE ROWS 20000 AS $$
    WITH sleeper AS (
        SELECT bed.room_id, min(residence.resident_id) AS resident_id
        FROM care.residence JOIN care.bed ON bed.id = residence.bed_id
        WHERE residence.during @> at
        GROUP BY bed.room_id HAVING count(*) = 1
    ), home AS (
        SELECT residence.resident_id, lower(residence.during) AS since FROM care.residence
        WHERE residence.during @> at
    ), shown AS (
        SELECT assignment.device_id, assignment.resident_id, lower(assignment.during) AS since
        FROM care.device_assignment AS assignment
        WHERE assignment.during @> at AND assignment.resident_id IS NOT NULL
        UNION ALL
        SELECT assignment.device_id, resident.id, lower(assignment.during)
        FROM care.device_assignment AS assignment
        JOIN care.room ON room.id = assignment.room_id
        JOIN care.site ON site.id = room.site_id
        JOIN care.resident ON resident.site_id = site.id
        WHERE assignment.during @> at AND (site.kind = 'household'
            OR EXISTS (SELECT FROM sleeper WHERE sleeper.room_id = room.id AND sleeper.resident_id = resident.id))
    )
    SELECT shown.resident_id, shown.device_id, greatest(shown.since, home.since)
    FROM shown
    JOIN care.device ON device.id = shown.device_id AND device.retired_at IS NULL
    LEFT JOIN home ON home.resident_id = shown.resident_id
$$;
COMMENT ON FUNCTION analytics.observers IS
    'Which devices show what a resident does, and since when: those assigned to them, those in their own household, and those of a room in which nobody else sleeps.';

CREATE TABLE care.detector_setting (
    resident_id integer NOT NULL REFERENCES care.resident,
    detector text NOT NULL CHECK (detector ~ '^[a-z][a-z_]{0,62}$'),
    is_on boolean NOT NULL DEFAULT true,
    off_until timestamptz,
    tolerance real NOT NULL DEFAULT 1 CHECK (tolerance BETWEEN 0.25 AND 4),
    active_from_h smallint CHECK (active_from_h BETWEEN 0 AND 23),
    active_to_h smallint CHECK (active_to_h BETWEEN 0 AND 23),
    reason text,
    changed_by integer REFERENCES care.staff,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (resident_id, detector),
    CHECK ((active_from_h IS NULL) = (active_to_h IS NULL))
);
COMMENT ON TABLE care.detector_setting IS 'What carers have set for one person and one detector; without a row the usual holds.';
COMMENT ON COLUMN care.detector_setting.off_until IS 'Silent until then, such as during a stay in hospital; null: not.';
COMMENT ON COLUMN care.detector_setting.tolerance IS 'Its thresholds are multiplied by this: 2 is half as sensitive.';
COMMENT ON COLUMN care.detector_setting.active_from_h IS
    'Local hour from which on, up to `active_to_h`, it raises alarms; over midnight if it is the later one; null: always.';
ALTER TABLE care.detector_setting ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON care.detector_setting TO anshou_web
    USING (resident_id IN (SELECT resident.id FROM care.resident))
    WITH CHECK (resident_id IN (SELECT resident.id FROM care.resident)
        AND changed_by = (SELECT care.current_staff_id()));
CREATE POLICY centre ON care.detector_setting TO anshou_service, anshou_ingest USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON analytics.run TO anshou_service;
REVOKE ALL ON FUNCTION analytics.observers FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analytics.observers TO anshou_service;
GRANT SELECT ON care.detector_setting TO anshou_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON care.detector_setting TO anshou_web;
