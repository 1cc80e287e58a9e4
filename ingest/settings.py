"""Settings of ingest, from the environment (`ANSHOU_INGEST_…`). All have proven defaults but the servers."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.watchdog import STALL_S_MAX

SHARES_MAX = 64
Positive = Annotated[int, Meta(ge=1)]


class Settings(Struct, frozen=True, kw_only=True):
    """How ingest runs."""

    database_url: str
    """PostgreSQL with TimescaleDB, as the role anshou_ingest."""
    mqtt_url: str
    """mqtt://user:password@host:port of the broker; mqtts:// with TLS."""
    worker: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}$")] = "1"
    """Name of this worker: its persistent session at the broker hangs on it."""
    shares: Annotated[int, Meta(ge=1, le=SHARES_MAX)] = 1
    """Into how many parts the broker deals out the readings; processes share them fairly (docs/scale.md)."""
    batch_rows_max: Positive = 5_000
    """Commit at this many rows …"""
    batch_age_ms_max: Positive = 50
    """… or when the oldest message has waited this long …"""
    receive_max: Annotated[int, Meta(ge=2, le=65_535)] = 4_000
    """… or when half of this window (MQTT 5 Receive Maximum, in messages) waits for its commit."""
    pending_bytes_max: Positive = 8 * 1024 * 1024
    """Stop reading the socket while this much payload waits for the database."""
    clock_future_s_max: Positive = 10 * 60
    """A device's clock this far ahead of ours is absurd."""
    clock_past_s_max: Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)] = 60 * 86_400
    """A device's clock this far behind is absurd. Longer than any outbox keeps."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3_600)] = 30
    database_answer_s_max: Positive = 30
    """A database that has not answered a batch of readings by then is asked again on a new connection."""
    settle_interval_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    """How often the latest state follows what was stored."""
    rollup_delay_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """An hour is rolled up this long after its end, or after late data for it came …"""
    rollup_running_hour_s: Annotated[float, Meta(gt=0, le=3_600)] = 600.0
    """… and while it runs, this long after it was last found stale."""
    raw_keep_days: Annotated[int, Meta(ge=8, le=36_500)] = 90
    """Raw data older than this is dropped once its rollups are proven, and late data can no longer come."""
    batch_keep_days: Positive = 61
    """Ids of gateways' batches are remembered this long: longer than any outbox keeps."""
    dead_letter_keep_days: Positive = 180
    """Messages that could not be stored are kept this long for people to look at."""
    stall_s_max: Annotated[float, Meta(ge=1, le=86_400)] = STALL_S_MAX
    """A loop of the process that stands still for so long ends it, to be started again."""
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Where on the loopback interface /metrics is served for Prometheus; 0: nowhere."""
