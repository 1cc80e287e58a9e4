-- One owner for which states of an alarm count as active or ended; a key for each step, so that none is taken twice.
-- depends: 0016_detector_settings

-- Inlined by the planner, so that the partial indexes of care.alarm serve: no SET and no SECURITY DEFINER here.
CREATE FUNCTION care.is_active(state care.alarm_state) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state IN ('open', 'acknowledged', 'arrived');
COMMENT ON FUNCTION care.is_active IS
    'Whether somebody still has to reach the alarm: a further signal joins it. As in the index alarm_one_active.';

CREATE FUNCTION care.is_ended(state care.alarm_state) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state IN ('closed', 'cancelled', 'cleared');
COMMENT ON FUNCTION care.is_ended IS 'Whether nothing is left to do. The others are in the index alarm_unended.';

REVOKE ALL ON FUNCTION care.is_active, care.is_ended FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.is_active, care.is_ended TO anshou_web, anshou_service, anshou_ingest;

ALTER TABLE care.alarm_event ADD COLUMN key text CHECK (key ~ '^[!-~]{1,64}$');
COMMENT ON COLUMN care.alarm_event.key IS
    'Given by who took the step, once for each press: sent again, the same step is not taken again.';
CREATE UNIQUE INDEX alarm_event_key ON care.alarm_event (alarm_id, key) WHERE key IS NOT NULL;
