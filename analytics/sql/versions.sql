-- Queries of analytics/versions.py.

-- name: lock
-- Nobody else changes which versions are live until the transaction ends; readers go on.
LOCK TABLE analytics.model IN SHARE ROW EXCLUSIVE MODE;

-- name: list
SELECT id, name, version, state, reason, made_at, window_begin, window_end, recipe, metrics, format,
    octet_length(content) AS size_bytes
FROM analytics.model
WHERE %(name)s::text IS NULL OR name = %(name)s
ORDER BY name, version DESC;

-- name: live_id
SELECT id FROM analytics.model WHERE name = %(name)s AND state = 'live';

-- name: choices
-- The live version and those that were live before it, the last one first. Contents are fetched one by one.
SELECT model.id, model.version, model.recipe, model.format FROM analytics.model
JOIN analytics.model AS live ON live.name = model.name AND live.state = 'live'
WHERE model.name = %(name)s AND model.version <= live.version AND model.state IN ('live', 'retired')
  AND model.window_end <= %(now)s AND model.window_end >= %(oldest)s
ORDER BY model.version DESC;

-- name: content
SELECT content, digest FROM analytics.model WHERE id = %(id)s;

-- name: retire
UPDATE analytics.model SET state = 'retired', reason = %(reason)s WHERE name = %(name)s AND state = 'live';

-- name: add
INSERT INTO analytics.model
    (name, version, state, reason, window_begin, window_end, recipe, metrics, format, content, digest)
SELECT %(name)s, coalesce(max(version), 0) + 1, %(state)s, %(reason)s, %(window_begin)s, %(window_end)s,
    %(recipe)s, %(metrics)s, %(format)s, %(content)s, %(digest)s
FROM analytics.model WHERE name = %(name)s
RETURNING id, name, version, state, reason, made_at, window_begin, window_end, recipe, metrics, format,
    octet_length(content) AS size_bytes;

-- name: prune
-- All but the last few; those that a restore or a damaged live version would need stay beyond that.
DELETE FROM analytics.model WHERE id IN (
    SELECT id FROM (
        SELECT id, state, row_number() OVER (ORDER BY version DESC) AS place,
            row_number() OVER (PARTITION BY state ORDER BY version DESC) AS place_in_state
        FROM analytics.model WHERE name = %(name)s
    ) AS placed
    WHERE place > %(keep)s AND state <> 'live' AND NOT (state = 'retired' AND place_in_state <= %(keep_retired)s)
);

-- name: make_live
UPDATE analytics.model SET state = 'live', reason = %(reason)s WHERE id = %(id)s;
