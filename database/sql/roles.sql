-- Statements of database/roles.py, as a superuser.

-- name: myself
SELECT rolname, rolsuper, current_database() AS database,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - current_setting('reserved_connections')::integer AS connections
FROM pg_roles WHERE rolname = current_user;

-- name: unlimited
SELECT rolname FROM pg_roles WHERE rolname = ANY (%(roles)s) AND rolconnlimit = -1;

-- name: make_owner
-- Roles belong to the whole server, so it may be there already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anshou_owner') THEN
        CREATE ROLE anshou_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of this server was secured at the same moment
END
$$;

-- name: give_away
-- What belongs to a superuser gets an owner with no power but over it. With a table go its indexes, its identity
-- columns and, by TimescaleDB, its chunks.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH ours AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname IN ('care', 'readings', 'analytics', 'scoped')),
            superuser AS (SELECT oid FROM pg_roles WHERE rolsuper)
        SELECT format('SCHEMA %I', nspname) FROM ours WHERE nspowner IN (SELECT oid FROM superuser)
        UNION ALL
        SELECT format('%s %I.%I', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            ELSE 'TABLE' END, nspname, relname)
        FROM pg_class JOIN ours ON ours.oid = relnamespace
        WHERE relowner IN (SELECT oid FROM superuser) AND (relkind IN ('r', 'p', 'v', 'm') OR relkind = 'S' AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('a', 'i')))
        UNION ALL
        SELECT format('TYPE %I.%I', nspname, typname)
        FROM pg_type JOIN ours ON ours.oid = typnamespace
        WHERE typowner IN (SELECT oid FROM superuser) AND typtype IN ('e', 'd', 'r')
        UNION ALL
        SELECT format('ROUTINE %s', pg_proc.oid::regprocedure)
        FROM pg_proc JOIN ours ON ours.oid = pronamespace
        WHERE proowner IN (SELECT oid FROM superuser)
    LOOP
        EXECUTE 'ALTER ' || statement || ' OWNER TO anshou_owner';
    END LOOP;
END
$$;

-- name: keep_locks
-- Advisory locks say who has a duty (database/leases.py); large objects are no part of this database. Neither is for
-- the pages.
DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN
        SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname ~ '^pg_(try_)?advisory_' OR proname ~ '^lo_' OR proname IN ('lowrite', 'loread'))
            AND (has_function_privilege('anshou_web', oid, 'EXECUTE')
                OR proname ~ 'advisory' AND NOT has_function_privilege('anshou_owner', oid, 'EXECUTE'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', signature);
        IF signature::text ~ 'advisory' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO anshou_owner, anshou_ingest, anshou_service', signature);
        END IF;
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
END
$$;
