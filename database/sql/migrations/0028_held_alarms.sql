-- An alarm that somebody said they would go to comes back: given back, taken back at once, or lost for want of arrival.
-- depends: 0027_locks

ALTER TYPE care.alarm_step ADD VALUE 'undone' AFTER 'cleared';
ALTER TYPE care.alarm_step ADD VALUE 'released' AFTER 'undone';
ALTER TYPE care.alarm_step ADD VALUE 'reminded' AFTER 'released';
ALTER TYPE care.alarm_step ADD VALUE 'overdue' AFTER 'reminded';

ALTER TABLE care.alarm ADD COLUMN waiting_since timestamptz, ADD COLUMN waiting_level smallint;
COMMENT ON COLUMN care.alarm.waiting_since IS
    'Since when it is open again, after somebody had acknowledged it; escalation counts from here. Null: never came back.';
COMMENT ON COLUMN care.alarm.waiting_level IS 'The level of escalation that was named by then.';
