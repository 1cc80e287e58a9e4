"""Settings of ingest, from the environment (`ANSHOU_INGEST_…`). All have proven defaults but the servers."""

from typing import Annotated

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]


class Settings(Struct, frozen=True, kw_only=True):
    """How ingest runs."""

    database_url: str
    """PostgreSQL with TimescaleDB, as the role anshou_ingest."""
    mqtt_url: str
    """mqtt://user:password@host:port of the broker."""
    worker: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}$")] = "1"
    """Name of this worker: its persistent session at the broker hangs on it."""
    batch_rows_max: Positive = 5_000
    """Commit at this many rows …"""
    batch_age_ms_max: Positive = 50
    """… or when the oldest message has waited this long …"""
    receive_max: Annotated[int, Meta(ge=2, le=65_535)] = 4_000
    """… or when half of this window (MQTT 5 Receive Maximum, in messages) waits for its commit."""
    pending_bytes_max: Positive = 32 * 1024 * 1024
    """Stop reading the socket while this much payload waits for the database."""
    clock_future_s_max: Positive = 10 * 60
    """A device's clock this far ahead of ours is absurd."""
    clock_past_s_max: Positive = 60 * 86_400
    """A device's clock this far behind is absurd. Longer than any outbox keeps."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3_600)] = 30
