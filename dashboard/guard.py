"""Before the first page is served: the database role must be one that row security binds."""

from dashboard.errors import UnfitRoleError
from database.connections import Connection, connect

_SUPERPOWERS = """
    SELECT current_user AS role, rolsuper AS is_superuser, rolbypassrls AS bypasses_row_security,
        EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE nspname IN ('care', 'readings', 'scoped') AND relkind IN ('r', 'p', 'v')
                  AND pg_has_role(current_user, relowner, 'USAGE')) AS owns_tables,
        has_schema_privilege(current_user, 'readings', 'USAGE') AS reads_hypertables,
        EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS becomes_others
    FROM pg_roles WHERE rolname = current_user
"""
_COMPLAINTS = {
    "is_superuser": "is a superuser",
    "bypasses_row_security": "bypasses row security",
    "owns_tables": "owns tables of the care record",
    "reads_hypertables": "can read the schema `readings`, which has no row security",
    # Also where it does not inherit their rights: it could take them on.
    "becomes_others": "is a member of other roles",
}


def require_bound_role(url: str) -> None:
    """UnfitRoleError unless the role in `url` sees only what a session's scope allows."""
    with connect(url, application="anshou-dashboard") as connection:
        missing = [schema for schema in ("care", "readings", "scoped") if not _has_schema(connection, schema)]
        if missing:
            raise UnfitRoleError(
                f"the database has no schema {', '.join(missing)}: run `anshou migrate` first",
                missing=missing,
            )
        row = connection.execute(_SUPERPOWERS).fetchone()
    assert row is not None, "everybody is in pg_roles"
    wrong = [text for column, text in _COMPLAINTS.items() if row[column]]
    if wrong:
        raise UnfitRoleError(
            f"the dashboard refuses to start: its database role {row['role']} {' and '.join(wrong)}, so row "
            "security could not keep people to their scope; "
            "let ANSHOU_DATABASE_URL name the role anshou_web",
            role=row["role"],
        )


def _has_schema(connection: Connection, schema: str) -> bool:
    row = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    return row is not None
