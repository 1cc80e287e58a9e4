-- What a device says before it is assigned: shown where it hangs, and joined to person and room afterwards.
-- depends: 0019_older_history

ALTER TABLE care.device_proposal ADD COLUMN label text;
COMMENT ON COLUMN care.device_proposal.label IS 'What the people of the house call it, where the gateway knows.';

-- An alarm of a device that nobody has adopted is told by its gateway. Each such device is a subject of its own.
ALTER TABLE care.alarm ADD COLUMN proposal_key text CHECK (proposal_key <> '');
COMMENT ON COLUMN care.alarm.proposal_key IS
    'Of an alarm that a gateway (`device_id`) tells for a device that nobody has adopted: what it calls that device.';
ALTER TABLE care.alarm ALTER COLUMN subject SET EXPRESSION AS (
    CASE WHEN resident_id IS NOT NULL THEN 'resident:' || resident_id
         WHEN room_id IS NOT NULL THEN 'room:' || room_id
         WHEN device_id IS NOT NULL THEN 'device:' || device_id || coalesce(' ' || proposal_key, '')
         ELSE 'site:' || site_id END
);
ANALYZE care.alarm; -- it was written anew, and the planner would know nothing of it

CREATE VIEW care.device_watch WITH (security_invoker) AS
SELECT assignment.device_id, assignment.room_id,
    coalesce(assignment.resident_id, alone_in_room.resident_id, alone_in_household.resident_id) AS resident_id,
    CASE WHEN lag(assignment.id) OVER (PARTITION BY assignment.device_id ORDER BY lower(assignment.during)) IS NOT NULL
        THEN lower(assignment.during)
        ELSE least(lower(assignment.during), greatest(lower(assignment.during) - interval '7 days',
            lower(lived.during), alone_in_room.since, alone_in_household.since)) END AS from_at,
    upper(assignment.during) AS to_at
FROM care.device_assignment AS assignment
JOIN care.device ON device.id = assignment.device_id
LEFT JOIN care.residence AS lived
    ON lived.resident_id = assignment.resident_id AND lived.during @> lower(assignment.during)
LEFT JOIN (
    SELECT bed.room_id, min(residence.resident_id) AS resident_id, min(lower(residence.during)) AS since
    FROM care.residence JOIN care.bed ON bed.id = residence.bed_id
    WHERE residence.during @> now() GROUP BY bed.room_id HAVING count(*) = 1
) AS alone_in_room ON alone_in_room.room_id = assignment.room_id
LEFT JOIN (
    SELECT residence.site_id, min(residence.resident_id) AS resident_id, min(lower(residence.during)) AS since
    FROM care.residence JOIN care.site ON site.id = residence.site_id AND site.kind = 'household'
    WHERE residence.during @> now() GROUP BY residence.site_id HAVING count(*) = 1
) AS alone_in_household ON alone_in_household.site_id = device.site_id AND assignment.room_id IS NOT NULL;
COMMENT ON VIEW care.device_watch IS
    'Of whom a device speaks, and from when to when. In a room with just one resident, or a household of one, it speaks of that resident. The first assignment also takes what was said in the week before it, as long as the resident lived there: it waited for a name.';
GRANT SELECT ON care.device_watch TO anshou_ingest, anshou_service;

-- Stored rows of a device that has just been assigned are waiting to be told whose they are.
CREATE TABLE readings.unjoined (
    device_id integer PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    joined_at timestamptz
);
COMMENT ON TABLE readings.unjoined IS
    'Devices that were assigned: what they said before is to be joined to whom they watch, and a little later once more, because intake may have learnt of it late.';
GRANT SELECT, INSERT, UPDATE, DELETE ON readings.unjoined TO anshou_ingest;
GRANT SELECT ON readings.unjoined TO anshou_service;

CREATE FUNCTION care.ask_to_join() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO readings.unjoined (device_id) VALUES (NEW.device_id)
    ON CONFLICT (device_id) DO UPDATE SET asked_at = clock_timestamp(), joined_at = NULL;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION care.ask_to_join FROM PUBLIC;
CREATE TRIGGER ask_to_join AFTER INSERT ON care.device_assignment
    FOR EACH ROW EXECUTE FUNCTION care.ask_to_join();

-- The signals of two alarms that turn out to be one.
GRANT UPDATE (alarm_id) ON care.alarm_signal TO anshou_service;
