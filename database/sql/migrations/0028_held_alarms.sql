-- An alarm that somebody said they would go to comes back: given back, taken back at once, or lost for want of arrival.
-- depends: 0022_least_rights

ALTER TYPE care.alarm_step ADD VALUE 'undone';
ALTER TYPE care.alarm_step ADD VALUE 'released';
ALTER TYPE care.alarm_step ADD VALUE 'reminded';
ALTER TYPE care.alarm_step ADD VALUE 'overdue';

ALTER TABLE care.alarm ADD COLUMN waiting_since timestamptz;
COMMENT ON COLUMN care.alarm.waiting_since IS
    'Since when it is open again, after somebody had acknowledged it; escalation counts from here. Null: never came back.';
