-- What the nightly training has learnt, version by version, so that a worse one is never used and an older one can come back.
-- depends: 0013_feedback

CREATE TABLE analytics.model (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (name ~ '^[a-z][a-z_]{0,62}$'),
    version integer NOT NULL CHECK (version >= 1),
    state text NOT NULL CHECK (state IN ('candidate', 'live', 'retired', 'rejected')),
    reason text NOT NULL CHECK (reason <> ''),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    window_begin timestamptz NOT NULL,
    window_end timestamptz NOT NULL CHECK (window_end > window_begin),
    recipe text NOT NULL CHECK (recipe <> ''),
    metrics jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    format integer NOT NULL CHECK (format >= 1),
    content bytea NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    UNIQUE (name, version)
);
-- Compressed already.
ALTER TABLE analytics.model ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX model_one_live ON analytics.model (name) WHERE state = 'live';
COMMENT ON TABLE analytics.model IS
    'Versions of what the nightly training learns, by name; at most one of each is live. Written only by analytics.';
COMMENT ON COLUMN analytics.model.state IS
    'candidate: found no worse than a version that is live no longer; live: in use; retired: was live; rejected: worse than the live one.';
COMMENT ON COLUMN analytics.model.reason IS 'Why it has this state, in a sentence.';
COMMENT ON COLUMN analytics.model.window_end IS 'It has learnt from readings before this time, from `window_begin` on.';
COMMENT ON COLUMN analytics.model.recipe IS
    'Names and values of the settings and constants that it was learnt with; under others it is not used.';
COMMENT ON COLUMN analytics.model.metrics IS 'Figures by name: how much it knows, and how it did on the last two weeks beside the live one.';
COMMENT ON COLUMN analytics.model.format IS 'How `content` is to be read.';
COMMENT ON COLUMN analytics.model.digest IS 'SHA-256 of `content`: a damaged version is not used.';

GRANT SELECT, INSERT, UPDATE, DELETE ON analytics.model TO anshou_service;
