-- An alarm that somebody said they would go to comes back: given back, taken back at once, or lost for want of arrival.
-- depends: 0022_least_rights

ALTER TYPE care.alarm_step ADD VALUE 'undone' AFTER 'cleared';
ALTER TYPE care.alarm_step ADD VALUE 'released' AFTER 'undone';
ALTER TYPE care.alarm_step ADD VALUE 'reminded' AFTER 'released';
ALTER TYPE care.alarm_step ADD VALUE 'overdue' AFTER 'reminded';

ALTER TABLE care.alarm ADD COLUMN waiting_since timestamptz;
COMMENT ON COLUMN care.alarm.waiting_since IS
    'Since when it is open again, after somebody had acknowledged it; escalation counts from here. Null: never came back.';
