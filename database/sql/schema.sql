-- Queries of database/schema.py, on the catalogue.

-- name: schemas
SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment
FROM pg_namespace WHERE nspname IN ('care', 'readings', 'analytics', 'scoped') ORDER BY nspname;

-- name: relations
SELECT relname AS name, CASE relkind WHEN 'r' THEN 'Table' ELSE 'View' END AS kind,
    coalesce(obj_description(oid, 'pg_class'), '') AS comment
FROM pg_class
WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('r', 'v') ORDER BY relkind, relname;

-- name: columns
SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
    concat_ws(', ',
        CASE WHEN attnotnull THEN 'not null' END,
        CASE WHEN attidentity <> '' THEN 'identity' END,
        CASE WHEN attgenerated <> '' THEN 'generated'
             WHEN adbin IS NOT NULL THEN 'default `' || pg_get_expr(adbin, adrelid) || '`' END) AS modifiers,
    coalesce(col_description(attrelid, attnum), '') AS comment
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = %(relation)s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- name: rules
-- Keys, checks, indexes that are no key, row security and triggers.
SELECT 1 AS rank, CASE contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key'
    WHEN 'x' THEN 'exclusion' ELSE 'check' END AS kind,
    regexp_replace(pg_get_constraintdef(oid), '\s+', ' ', 'g') AS definition
FROM pg_constraint WHERE conrelid = %(relation)s::regclass AND contype <> 'n'
UNION ALL
SELECT 2, 'index', regexp_replace(pg_get_indexdef(indexrelid), '^CREATE (UNIQUE )?INDEX \S+ ON \S+ ', '\1')
FROM pg_index WHERE indrelid = %(relation)s::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL
SELECT 3, 'row security', concat_ws(' ', polname, CASE WHEN polpermissive THEN '' ELSE '(restrictive)' END, 'for',
    CASE polcmd WHEN '*' THEN 'all' WHEN 'a' THEN 'insert' WHEN 'r' THEN 'select' WHEN 'w' THEN 'update' ELSE 'delete' END,
    'to', (SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles WHERE oid = ANY (polroles)), 'where',
    regexp_replace(coalesce(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), '\s+', ' ', 'g'))
FROM pg_policy WHERE polrelid = %(relation)s::regclass
UNION ALL
SELECT 4, 'trigger', regexp_replace(pg_get_triggerdef(oid), '^CREATE TRIGGER ', '')
FROM pg_trigger WHERE tgrelid = %(relation)s::regclass AND NOT tgisinternal AND tgname <> 'ts_insert_blocker'
ORDER BY rank, kind, definition;

-- name: functions
SELECT proname || '(' || pg_get_function_arguments(oid) || ')' AS signature,
    pg_get_function_result(oid) || CASE WHEN prosecdef THEN ' (security definer)' ELSE '' END AS returns,
    coalesce(obj_description(oid, 'pg_proc'), '') AS comment
FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace ORDER BY 1;
