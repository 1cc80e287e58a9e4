"""What ingest counts, and how it tells machines and people."""

import socket
import urllib.request
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from database.connections import Connection
from deploy.local import ports
from ingest.alarms import AlarmIngest
from ingest.health import Process, watched
from ingest.metrics import LAG_EDGES_S, BacklogMetrics, Lags, Metrics, quantile_s, served
from ingest.settings import Settings
from ingest.settling import Settling
from ingest.shares import SharedReadings
from protocol import wire
from protocol.model import Activity, ActivityEvent, AlarmSignal, SignalKind, VitalSigns
from protocol.wire import Leaf
from tests.ingest.conftest import Home, Running, eventually, now_ms


class Watched:
    """Readings and alarms that are counted and report, as `python -m ingest` composes them."""

    def __init__(self, settings_of: Callable[[str], Settings]) -> None:
        self.settings_of = settings_of
        self.readings = Metrics(CollectorRegistry())
        self.alarms = Metrics(CollectorRegistry())
        self.running = [
            Running(SharedReadings(settings_of("ingest"), self.readings)),
            Running(AlarmIngest(settings_of("alarms"), self.alarms)),
        ]

    def value(self, name: str, **labels: str) -> float | None:
        return self.readings.registry.get_sample_value(f"anshou_ingest_{name}", labels)


@pytest.fixture
def processes(home: Home, settings_of: Callable[[str], Settings]) -> Iterator[Watched]:
    processes = Watched(settings_of)
    yield processes
    for running in processes.running:
        running.stop()


def test_what_is_stored_and_what_is_not_is_counted(home: Home, processes: Watched) -> None:
    ts_ms = now_ms()
    batch = wire.encode_batch(
        "b-1",
        [
            (home.wristband.device.name, VitalSigns(ts_ms=ts_ms, hr=71)),
            (home.motion.device.name, Activity(ts_ms=ts_ms, event=ActivityEvent.MOTION)),
        ],
    )
    for count in range(1, 4):
        home.publish(home.gateway, home.topic(home.gateway, Leaf.BATCH), batch)
        eventually(lambda: processes.value("commit_seconds_count") == count)  # noqa: B023 - waits
    home.publish(home.wristband, home.topic(home.wristband, Leaf.VITALS), b"not json")
    eventually(lambda: processes.readings.totals().received == 4)
    totals = eventually(lambda: (found := processes.readings.totals()).dead == 1 and found)
    assert (totals.stored, totals.repeated_batches, totals.careful_stores) == (2, 2, 2)
    assert eventually(lambda: processes.readings.totals().pending == 0)
    assert processes.value("dead_letters_total", reason="malformed") == 1
    assert processes.value("batches_repeated_total") == 2
    assert processes.value("rows_stored_total", table="vitals") == 3, "those repeated are counted as offered"
    assert processes.value("commit_seconds_count") == 4
    # Repeated rows are offered, hence counted, again.
    assert processes.value("lag_seconds_count") == 6
    assert 0 < (quantile_s(totals.lags, 0.99) or 0) < 20


def test_an_alarm_is_counted_on_its_own_way(home: Home, processes: Watched) -> None:
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: processes.alarms.totals().stored == 1)
    assert processes.alarms.totals().lags.sum() == 1
    assert processes.readings.totals().stored == 0


def test_the_broker_tells_what_it_drops(home: Home, processes: Watched) -> None:
    dropped = eventually(
        lambda: (found := processes.readings.totals().broker_dropped) is not None and [found]
    )
    assert dropped[0] >= 0
    assert processes.readings.registry.get_sample_value("anshou_broker_connected_clients") is not None


def health(owner: Connection) -> dict[str, dict[str, object]]:
    rows = owner.execute("SELECT * FROM readings.ingest_health").fetchall()
    return {row["process"]: row for row in rows}


def test_a_process_tells_how_it_is_and_takes_its_leave(
    home: Home, processes: Watched, owner: Connection
) -> None:
    settings = processes.settings_of("ingest")
    home.say(home.wristband, VitalSigns(ts_ms=now_ms() - 2_000, hr=71))
    eventually(lambda: processes.readings.totals().stored == 1)
    with watched("readings", settings, processes.readings, connected=lambda: True):
        told = eventually(lambda: health(owner).get("readings"))
        assert (told["connected"], told["stored"], told["dead"]) == (True, 1, 0)
        assert str(told["worker"]).startswith(f"{settings.worker} ")
    assert health(owner) == {}


def test_settle_tells_its_backlog(
    home: Home, settings_of: Callable[[str], Settings], owner: Connection
) -> None:
    owner.execute(
        "INSERT INTO readings.unsettled (source, device_ids, from_s) VALUES ('vitals', '{1}', '{800000000}')"
    )
    owner.execute(
        "INSERT INTO readings.raw_chunk (source, begins_at, ends_at, kept_because)"
        " VALUES ('vitals', '2026-01-01 00:00Z', '2026-01-02 00:00Z', 'it is not proven')"
    )
    metrics = Metrics(CollectorRegistry())
    keeper = Settling(settings_of("ingest"), metrics)
    backlog = BacklogMetrics(metrics.registry)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"anshou_ingest_{name}", labels)

    process: Process = "settle"
    with watched(
        process, settings_of("ingest"), metrics, connected=lambda: keeper.connected, backlog_metrics=backlog
    ):
        eventually(lambda: value("unsettled_notes") == 1)
        assert value("kept_chunk", source="vitals", begins="2026-01-01", because="it is not proven") == 1


def test_metrics_are_served_on_loopback_until_the_end() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.took(3)
    port = ports.any_free()
    with served(metrics.registry, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        assert "anshou_ingest_messages_received_total 3.0" in text
        assert 'anshou_ingest_lag_seconds_bucket{le="+Inf"} 0.0' in text
    assert ports.is_free(port)


def test_a_taken_port_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(CollectorRegistry(), port):
            assert "ANSHOU_INGEST_METRICS_PORT" in caplog.text


def test_processes_do_not_share_counters() -> None:
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.took(5)
    assert other.totals().received == 0


@given(
    st.lists(st.integers(-10_000_000, 10**12), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99])
)
def test_a_quantile_is_right_to_its_bucket(lags_us: list[int], share: float) -> None:
    lags = Lags()
    for part in np.array_split(np.array(lags_us, dtype=np.int64), 3):
        lags.add(part)
    assert lags.counts().sum() == len(lags_us)
    exact_s = sorted(lags_us)[max(0, int(np.ceil(share * len(lags_us))) - 1)] / 1e6
    found_s = quantile_s(lags.counts(), share)
    assert found_s is not None
    edges = [0.0, *LAG_EDGES_S]
    bucket = next((n for n, edge in enumerate(edges) if exact_s <= edge), len(edges) - 1)
    assert edges[max(0, bucket - 1)] <= found_s <= edges[max(1, bucket)]


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile_s(Lags().counts(), 0.5) is None


def test_one_that_is_gone_is_forgotten_by_the_others_of_its_kind_only(
    owner: Connection, settings_of: Callable[[str], Settings]
) -> None:
    for process in ("readings", "alarms"):
        owner.execute(
            "INSERT INTO readings.ingest_health VALUES"
            " (%s, '1 gone:7', now() - interval '1 hour', now(), true,"
            " 0, 0, 0, 0, 0, 0, NULL, NULL, 0, NULL)",
            (process,),
        )
    with watched("readings", settings_of("ingest"), Metrics(CollectorRegistry()), connected=lambda: True):
        eventually(lambda: len(health(owner)) == 2 and "gone" not in str(health(owner)["readings"]["worker"]))
        assert str(health(owner)["alarms"]["worker"]) == "1 gone:7"
