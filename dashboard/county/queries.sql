-- What a supervisor sees. Every query runs in a session's transaction: row security keeps the scope.

-- name: sites
-- One row a site, and one (id null) for all in scope. Times in seconds; shares of 1.
WITH people AS (
    SELECT site_id, count(*) AS residents FROM care.resident WHERE left_on IS NULL GROUP BY site_id
), waiting AS (
    SELECT site_id, priority, clock_timestamp() - opened_at AS age FROM care.alarm WHERE state = 'open'
), open_alarms AS (
    SELECT site_id,
        count(*) AS open,
        count(*) FILTER (WHERE priority = 'high') AS open_high,
        count(*) FILTER (WHERE age < interval '1 minute') AS under_1_min,
        count(*) FILTER (WHERE age >= interval '1 minute' AND age < interval '5 minutes') AS under_5_min,
        count(*) FILTER (WHERE age >= interval '5 minutes' AND age < interval '15 minutes') AS under_15_min,
        count(*) FILTER (WHERE age >= interval '15 minutes') AS older
    FROM waiting GROUP BY GROUPING SETS ((site_id), ())
), answers AS (
    SELECT site_id,
        count(*) AS raised,
        count(*) FILTER (WHERE state = 'cancelled') AS false_alarms,
        -- The one in the middle, not a mean of two: between a time and never there is none.
        percentile_disc(0.5) WITHIN GROUP (
            ORDER BY coalesce(extract(epoch FROM answered_at - opened_at)::float8, 'Infinity'))
            FILTER (WHERE answered_at IS NOT NULL OR opened_at < clock_timestamp() - answer_within)
            AS answer_s_median,
        count(*) FILTER (WHERE answered_at - opened_at <= answer_within) AS answered_in_time,
        count(*) FILTER (WHERE answered_at IS NOT NULL
            OR opened_at < clock_timestamp() - answer_within) AS answers_due,
        count(*) FILTER (WHERE arrived_at - opened_at <= arrive_within) AS arrived_in_time,
        -- Nobody need go where an alarm was cancelled in time.
        count(*) FILTER (WHERE arrived_at IS NOT NULL
            OR coalesce(cancelled_at, clock_timestamp()) - opened_at > arrive_within) AS arrivals_due
    FROM (
        SELECT *, CASE state WHEN 'cancelled' THEN ended_at END AS cancelled_at,
            coalesce(acknowledged_at, CASE state WHEN 'cancelled' THEN ended_at END) AS answered_at
        FROM care.alarm
    ) AS alarm CROSS JOIN (
        SELECT make_interval(secs => answer_within_s) AS answer_within, make_interval(secs => arrive_within_s) AS arrive_within
        FROM care.effective_policy
    ) AS policy
    WHERE opened_at > clock_timestamp() - interval '7 days'
      AND priority >= 'medium' AND state <> 'cleared'
    GROUP BY GROUPING SETS ((site_id), ())
), devices AS (
    SELECT device.site_id, count(*) AS devices,
        count(*) FILTER (WHERE state.online IS NOT FALSE AND state.last_seen_at > now() - silence.silent_after) AS devices_live
    FROM care.device
    JOIN care.device_silence AS silence ON silence.device_id = device.id
    LEFT JOIN LATERAL ( -- device by device: behind row security the planner takes a county for a few rows
    SELECT * FROM scoped.device_state AS one WHERE one.device_id = device.id OFFSET 0
) AS state ON true
    WHERE device.retired_at IS NULL
    GROUP BY GROUPING SETS ((device.site_id), ())
)
SELECT site.id, site.name, site.kind, site.township, operator.name AS operator_name,
    CASE WHEN site.id IS NULL THEN (SELECT coalesce(sum(residents), 0)::integer FROM people)
        ELSE coalesce(people.residents, 0) END AS residents,
    coalesce(open_alarms.open, 0) AS open, coalesce(open_alarms.open_high, 0) AS open_high,
    coalesce(open_alarms.under_1_min, 0) AS under_1_min, coalesce(open_alarms.under_5_min, 0) AS under_5_min,
    coalesce(open_alarms.under_15_min, 0) AS under_15_min, coalesce(open_alarms.older, 0) AS older,
    coalesce(devices.devices, 0) AS devices, coalesce(devices.devices_live, 0) AS devices_live,
    coalesce(answers.raised, 0) AS raised, coalesce(answers.false_alarms, 0) AS false_alarms,
    coalesce(answers.answers_due, 0) AS answers_due, coalesce(answers.arrivals_due, 0) AS arrivals_due,
    answers.answer_s_median,
    answers.answered_in_time::float / nullif(answers.answers_due, 0) AS answered_in_time,
    answers.arrived_in_time::float / nullif(answers.arrivals_due, 0) AS arrived_in_time
FROM (SELECT id, name, kind, township, operator_id FROM care.site WHERE closed_at IS NULL
      UNION ALL SELECT NULL, NULL, NULL, NULL, NULL) AS site
LEFT JOIN care.operator ON operator.id = site.operator_id
LEFT JOIN people ON people.site_id = site.id
LEFT JOIN open_alarms ON open_alarms.site_id IS NOT DISTINCT FROM site.id
LEFT JOIN answers ON answers.site_id IS NOT DISTINCT FROM site.id
LEFT JOIN devices ON devices.site_id IS NOT DISTINCT FROM site.id
ORDER BY open_alarms.open_high DESC NULLS LAST, open_alarms.open DESC NULLS LAST, site.kind, site.name, site.id;
