-- Places to choose. Every query runs in a session's transaction: row security keeps the scope.

-- name: sites
-- The sites in scope, with how many live there and how many alarms wait.
SELECT site.id, site.code, site.kind, site.name, site.township, site.phone,
    (SELECT count(*) FROM care.resident WHERE resident.site_id = site.id AND left_on IS NULL) AS residents,
    (SELECT count(*) FROM care.alarm WHERE alarm.site_id = site.id
        AND care.is_active(state)) AS alarms
FROM care.site
WHERE closed_at IS NULL
ORDER BY site.kind, site.name, site.id;
