-- Alarms as people see them. Every query runs in a session's transaction: row security keeps the scope.

-- name: cards
-- Alarms that are not ended, by priority; of the same priority first those that nobody answers, then the
-- oldest. Those dealt with come last: what is left of them is paperwork.
-- Names of colleagues come from the timeline: the staff table shows everybody only themselves.
SELECT alarm.*, site.name AS site_name, site.kind AS site_kind, site.address, site.village,
    site.phone AS site_phone, resident.name AS resident_name, resident.sex, resident.born_on,
    resident.self_care_level, resident.phone AS resident_phone, resident.family_contact,
    room.name AS room_name, bed.label AS bed_label, device.name AS device_name, device.kind AS device_kind,
    latest.actor AS last_actor, latest.at AS last_at,
    CASE WHEN alarm.condition_ended_at IS NOT NULL THEN (
        SELECT (detail ->> 'by_device')::boolean FROM care.alarm_event
        WHERE alarm_event.alarm_id = alarm.id AND step = 'condition_ended' ORDER BY id DESC LIMIT 1
    ) END AS ended_by_device,
    CASE WHEN alarm.escalation_level > 0 THEN (
        SELECT coalesce(detail ->> 'role', detail ->> 'told') FROM care.alarm_event -- `told`: its earlier name
        WHERE alarm_event.alarm_id = alarm.id AND step = 'escalated' ORDER BY id DESC LIMIT 1
    ) END AS escalated_to,
    alarm.state = 'acknowledged' AND EXISTS (
        SELECT FROM care.alarm_event
        WHERE alarm_event.alarm_id = alarm.id AND step = 'reminded' AND at >= alarm.acknowledged_at
    ) AS is_late,
    CASE WHEN alarm.state = 'open' AND alarm.waiting_since IS NOT NULL THEN (
        SELECT step FROM care.alarm_event
        WHERE alarm_event.alarm_id = alarm.id AND step IN ('released', 'overdue', 'undone') ORDER BY id DESC LIMIT 1
    ) END AS reopened_by,
    count(*) OVER () AS total
FROM care.alarm
JOIN care.site ON site.id = alarm.site_id
LEFT JOIN care.resident ON resident.id = alarm.resident_id
LEFT JOIN care.residence ON residence.resident_id = alarm.resident_id AND residence.during @> now()
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room ON room.id = coalesce(alarm.room_id, bed.room_id)
LEFT JOIN care.device ON device.id = alarm.device_id
LEFT JOIN LATERAL (
    SELECT actor, at FROM care.alarm_event
    WHERE alarm_event.alarm_id = alarm.id AND step::text = alarm.state::text
    ORDER BY id DESC LIMIT 1
) AS latest ON true
WHERE CASE WHEN %(alarm_id)s::bigint IS NULL
        THEN NOT care.is_ended(alarm.state)
        ELSE alarm.id = %(alarm_id)s END
  AND (%(site_id)s::integer IS NULL OR alarm.site_id = %(site_id)s)
ORDER BY alarm.state = 'resolved', alarm.priority DESC, alarm.state <> 'open', alarm.opened_at, alarm.id
LIMIT %(limit)s;
