-- Queries of alarms/detector_settings.py. Inside a session row security keeps the scope.

-- name: may_set
SELECT care.sets_detectors() AS may;

-- name: resident
SELECT left_on IS NOT NULL AS has_left FROM care.resident WHERE id = %(resident_id)s;

-- name: standing
-- The name comes from the record of changes: the staff table shows everybody only themselves.
SELECT setting.*, latest.actor
FROM care.detector_setting AS setting
JOIN LATERAL (
    SELECT actor FROM care.detector_setting_change AS change
    WHERE change.resident_id = setting.resident_id AND change.detector = setting.detector
    ORDER BY id DESC LIMIT 1
) AS latest ON true
WHERE setting.resident_id = %(resident_id)s;

-- name: changes
SELECT detector, at, actor, is_on, off_until, tolerance, active_from_h, active_to_h, reason
FROM care.detector_setting_change WHERE resident_id = %(resident_id)s ORDER BY id DESC LIMIT %(limit)s;

-- name: put
-- Compared and set at once: nothing where somebody has changed it since `seen_at`.
INSERT INTO care.detector_setting AS setting (resident_id, detector, is_on, off_until, tolerance, active_from_h,
    active_to_h, reason, changed_by)
VALUES (%(resident_id)s, %(detector)s, true, %(off_until)s, %(tolerance)s, %(active_from_h)s, %(active_to_h)s,
    %(reason)s, %(changed_by)s)
ON CONFLICT (resident_id, detector) DO UPDATE SET
    is_on = true, off_until = excluded.off_until, tolerance = excluded.tolerance,
    active_from_h = excluded.active_from_h, active_to_h = excluded.active_to_h,
    reason = excluded.reason, changed_by = excluded.changed_by
WHERE setting.changed_at = %(seen_at)s
RETURNING detector;
