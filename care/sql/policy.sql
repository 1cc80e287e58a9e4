-- Queries of care/policy.py. Inside a session row security lets everybody read and supervisors of the county add.

-- name: effective
SELECT * FROM care.effective_policy;

-- name: may_set
SELECT care.sets_policy() AS may;

-- name: changes
-- The newest first.
SELECT * FROM care.policy_change ORDER BY revision DESC, name LIMIT %(limit)s;

-- name: last_changes
-- Of each value the last change.
SELECT DISTINCT ON (name) * FROM care.policy_change ORDER BY name, revision DESC;
