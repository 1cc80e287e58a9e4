-- What an alarm's page asks. Every query runs in a session's transaction: row security keeps the scope.

-- name: names
SELECT id, name FROM care.resident WHERE id = ANY (%(resident_ids)s::integer[]);
