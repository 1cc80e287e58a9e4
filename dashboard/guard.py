"""Before the first page is served: what would let strangers see more than they may stops the start."""

import ipaddress
import logging

from dashboard.errors import ExposedError, UnfitRoleError
from dashboard.settings import Settings
from database.connections import Connection, connect

log = logging.getLogger(__name__)

DASHBOARDS = 2
"""How often the pages are served, each time by a process of its own or more."""
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


def connections_each(settings: Settings) -> int:
    """How many connections the pool of each process may have, so that all fit into their role's limit.

    The pages may be served twice (in clear for this machine, over TLS for others), each time by `workers`
    processes, and a process listens on one connection more. DomainError: the database is away.
    """
    with connect(settings.database_url, application="anshou-dashboard") as connection:
        row = connection.execute(
            "SELECT rolconnlimit AS limit FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row is not None, "everybody is in pg_roles"
    limit: int = row["limit"]
    if limit < 0:
        return settings.pool_size_max
    share = limit // (DASHBOARDS * settings.workers) - 1
    if share < settings.pool_size_max:
        log.warning(
            "%d connections to the database for each of %d processes, not %d: the limit of their role is %d",
            max(1, share),
            settings.workers,
            settings.pool_size_max,
            limit,
        )
    return max(1, min(settings.pool_size_max, share))


def require_private_words(settings: Settings) -> None:
    """ExposedError where passwords and sessions would cross a network in the clear."""
    tells_others = settings.tell_https_port is not None  # and serves them nothing else in the clear
    is_behind_tls = settings.tls_certificate or settings.trusted_proxies.strip()
    is_shielded = is_behind_tls or settings.plain_http or tells_others
    if not (is_shielded or all(_is_loopback(host.strip()) for host in settings.host.split(","))):
        raise ExposedError(
            f"the dashboard refuses to start: on {settings.host}, passwords would cross the network in the "
            "clear; set ANSHOU_DASHBOARD_TLS_CERTIFICATE and ANSHOU_DASHBOARD_TLS_KEY, or name the proxy "
            "that speaks TLS in ANSHOU_DASHBOARD_TRUSTED_PROXIES, or, in a container whose port only its "
            "machine reaches, set ANSHOU_DASHBOARD_PLAIN_HTTP=true",
            host=settings.host,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_schema(connection: Connection, schema: str) -> bool:
    row = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    return row is not None
