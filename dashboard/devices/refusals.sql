-- Whom the broker refused. Every query runs in a session's transaction: row security keeps the scope.

-- name: refusals
SELECT reason, name, address, count, last_at, device_kind FROM scoped.refusal
WHERE last_at > now() - interval '30 days'
ORDER BY last_at DESC LIMIT %(limit)s;

-- name: filling_disks
SELECT host, free_bytes, total_bytes FROM scoped.disk
WHERE at > now() - interval '5 minutes'
  AND (free_bytes < %(share_min)s * total_bytes AND free_bytes < 10 * %(bytes_min)s::bigint
       OR free_bytes < %(bytes_min)s::bigint)
ORDER BY free_bytes;
