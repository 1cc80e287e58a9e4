-- What analytics itself must remember, so that a restart changes nothing.
-- depends: 0004_scope

CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'What analytics keeps for itself. Written only by analytics.';

CREATE TABLE analytics.pulse (
    at timestamptz PRIMARY KEY CHECK (at = date_trunc('minute', at, 'UTC')),
    heard integer NOT NULL CHECK (heard >= 0)
);
COMMENT ON TABLE analytics.pulse IS
    'The minutes in which analytics ran, and how many devices of the county were heard in each. A device is silent '
    'only through minutes that are here: what nobody could have heard is not held against it.';

-- The judge looks at what ended lately, once a minute.
CREATE INDEX alarm_lately_ended ON care.alarm (ended_at) WHERE ended_at IS NOT NULL;

GRANT USAGE ON SCHEMA analytics TO anshou_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON analytics.pulse TO anshou_service;
