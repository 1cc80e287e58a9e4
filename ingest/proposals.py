"""What gateways propose, from the broker into the record: stored first, then acknowledged."""

from care import proposals
from database.connections import Connection
from ingest.directory import Directory, Entry
from ingest.rows import DeadLetter, dead_letter
from ingest.store import store_dead_letters
from ingest.subscriber import Incoming
from protocol import wire
from protocol.errors import DeadReason, WireError
from protocol.model import DeviceKind


def store_proposal(connection: Connection, directory: Directory, incoming: Incoming) -> list[DeadLetter]:
    """Commit one proposal, or its dead letter; the dead letters.

    Raises:
        psycopg.OperationalError: the database is away; the same may be tried again.
    """
    entry: Entry | None = None
    dead: list[DeadLetter] = []
    with connection.transaction():
        try:
            topic = wire.parse_topic(incoming.topic)
            entry = directory.find(topic.site, topic.device)
            if entry.kind is not DeviceKind.GATEWAY:
                raise WireError(DeadReason.UNKNOWN_DEVICE, f"{entry.name} is no gateway and proposes nothing")
            proposal = wire.decode_proposal(incoming.payload)
            if not proposals.record(connection, entry.device_id, proposal):
                detail = f"{entry.name} has {proposals.OPEN_MAX:,} proposals open already"
                raise WireError(DeadReason.TOO_LARGE, detail)
        except WireError as error:
            dead.append(dead_letter(incoming.topic, incoming.payload, error, entry))
        store_dead_letters(connection, dead)
    return dead
