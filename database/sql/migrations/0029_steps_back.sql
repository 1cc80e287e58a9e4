-- The steps with which people give an alarm back; a migration of its own, since new words of a type cannot be used in
-- the transaction that adds them.
-- depends: 0028_held_alarms

INSERT INTO care.alarm_move (step, is_urgent, state, after)
SELECT step::care.alarm_step, is_urgent, state::care.alarm_state, after::care.alarm_state
FROM (VALUES ('undone', 'acknowledged', 'open'), ('undone', 'arrived', 'acknowledged'), ('released', 'acknowledged', 'open'))
    AS move (step, state, after)
CROSS JOIN (VALUES (false), (true)) AS urgency (is_urgent);

CREATE OR REPLACE FUNCTION care.take_step(
    sought bigint, taken care.alarm_step, by_name text, by_staff integer, done_at timestamptz,
    said text, told_family text, given_key text, facts jsonb
) RETURNS SETOF care.alarm
LANGUAGE plpgsql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    standing care.alarm;
    moved_to care.alarm_state;
    pressed care.alarm_event;
    waits_anew boolean;
BEGIN
    IF NOT care.is_centre() THEN
        SELECT name, id INTO by_name, by_staff FROM care.staff WHERE id = care.current_staff_id();
        IF by_staff IS NULL THEN
            RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'insufficient_privilege';
        END IF;
        done_at := NULL;
    END IF;
    done_at := coalesce(done_at, clock_timestamp());
    SELECT * INTO standing FROM care.lock_alarm(sought);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT after INTO moved_to FROM care.alarm_move
    WHERE step = taken AND state = standing.state AND is_urgent = (standing.priority = 'high');
    IF moved_to IS NULL THEN
        RAISE EXCEPTION 'alarm % is %: it cannot be % from there', sought, standing.state, taken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'alarm_move';
    END IF;
    IF moved_to = 'closed' AND standing.priority = 'high' AND coalesce(told_family, '') = '' THEN
        RAISE EXCEPTION 'alarm % has high priority: it is closed when the family was told', sought
            USING ERRCODE = 'check_violation', CONSTRAINT = 'alarm_family_notice';
    END IF;
    IF taken = 'undone' THEN
        SELECT * INTO pressed FROM care.alarm_event
        WHERE alarm_id = sought AND step IN ('acknowledged', 'arrived') ORDER BY id DESC LIMIT 1;
        -- As alarms.lifecycle.UNDO_S.
        IF pressed.staff_id IS DISTINCT FROM by_staff OR pressed.at < done_at - interval '15 seconds' THEN
            RAISE EXCEPTION 'alarm %: only who has pressed takes it back, and at once', sought
                USING ERRCODE = 'check_violation', CONSTRAINT = 'alarm_undo';
        END IF;
    END IF;
    -- A press that is taken back at once was none. Who takes and gives back again and again holds up no level.
    waits_anew := taken = 'released' AND coalesce(standing.waiting_since < done_at - interval '30 minutes', true);
    IF taken <> 'noted' THEN
        UPDATE care.alarm SET state = moved_to,
            acknowledged_at = CASE WHEN moved_to = 'open' THEN NULL WHEN taken = 'acknowledged' THEN done_at
                ELSE acknowledged_at END,
            acknowledged_by = CASE WHEN moved_to = 'open' THEN NULL WHEN taken = 'acknowledged' THEN by_staff
                ELSE acknowledged_by END,
            waiting_since = CASE WHEN waits_anew THEN done_at ELSE waiting_since END,
            waiting_level = CASE WHEN waits_anew THEN escalation_level ELSE waiting_level END,
            arrived_at = CASE WHEN taken = 'undone' THEN NULL WHEN moved_to = 'arrived' THEN done_at ELSE arrived_at END,
            resolved_at = CASE moved_to WHEN 'resolved' THEN done_at ELSE resolved_at END,
            ended_at = CASE WHEN care.is_ended(moved_to) THEN done_at ELSE ended_at END,
            family_notice = CASE moved_to WHEN 'closed' THEN coalesce(told_family, family_notice) ELSE family_notice END
        WHERE id = sought RETURNING * INTO standing;
    END IF;
    INSERT INTO care.alarm_event (alarm_id, site_id, at, step, state_after, staff_id, actor, note, detail, key)
    VALUES (sought, standing.site_id, done_at, taken, standing.state, by_staff, by_name, left(said, 2000),
        coalesce(facts, '{}') || CASE WHEN told_family <> '' THEN jsonb_build_object('family_notice', told_family) ELSE '{}' END,
        given_key);
    RETURN NEXT standing;
END
$$;
