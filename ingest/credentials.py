"""Gateways' credentials, from the record to the broker: told, and taken back when they were revoked.

Every step may be repeated, and what is not yet done is found again in the database, so that a crash anywhere
costs nothing but time.
"""

import logging

from database.connections import Connection
from database.queries import queries
from ingest.provision import Provisioner

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/gateways.sql")


def settle_credentials(connection: Connection, provisioner: Provisioner) -> None:
    """Bring the broker up to the record.

    Raises:
        ProvisionError: the broker is away or refuses; the same may be tried again.
        psycopg.OperationalError: likewise, of the database.
    """
    connection.execute(_sql["revoke_retired"])
    connection.execute(_sql["drop_old_errands"])
    for row in connection.execute(_sql["errands"]).fetchall():
        provisioner.add_credential(row["site"], row["gateway"], row["username"], row["secret"])
        with connection.transaction():
            connection.execute(_sql["told"], row)
            connection.execute(_sql["done"], row)
        log.info("the broker lets %s in as %s", row["gateway"], row["username"])
    for row in connection.execute(_sql["revoked"]).fetchall():
        provisioner.remove_credential(row["username"])
        connection.execute(_sql["forgotten"], row)
        log.info("the broker has forgotten %s", row["username"])
