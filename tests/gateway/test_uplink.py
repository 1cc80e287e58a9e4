"""The uplink on a real broker: resending, poison, half-open connections, time, and alarms before all."""

import time
from pathlib import Path

import pytest

from gateway import uplink
from gateway.clock import Clock
from gateway.outbox import Entry, Outbox
from protocol import wire
from protocol.model import AlarmSignal, DeviceStatus, SignalKind, SignalState, VitalSigns
from protocol.wire import Leaf
from tests.gateway.conftest import Centre, House, eventually
from tests.proxy import proxies


def fill(folder: Path, count: int, *, clock: Clock | None = None) -> None:
    """As an outage leaves it."""
    clock = clock or Clock(synchronised=lambda: True)
    outbox = Outbox(folder, clock)
    begin_ms = time.time_ns() // 1_000_000 - 86_400_000
    outbox.keep(
        [
            Entry("anshou:band-1", "band-1", VitalSigns(ts_ms=begin_ms + n, hr=60), clock.now())
            for n in range(count)
        ]
    )
    outbox.close()


def queued(house: House) -> int:
    running = house._running[-1]
    return running.gateway.edge.health().queued


def test_birth_and_will(house: House) -> None:
    running = house.start()
    topic = house.centre.topic(Leaf.STATUS)
    birth = wire.decode(Leaf.STATUS, eventually(lambda: house.centre.of(topic))[0])
    assert isinstance(birth, DeviceStatus)
    assert (birth.online, birth.queued, birth.dropped) == (True, 0, 0)
    running.stop()
    last = wire.decode(Leaf.STATUS, eventually(lambda: house.centre.of(topic)[1:])[-1])
    assert isinstance(last, DeviceStatus)
    assert not last.online


def test_an_alarm_does_not_wait_behind_the_backlog(house: House) -> None:
    fill(house.folder, 5_000)
    house.start(backlog_per_s_max=200)
    eventually(house.centre.batches)
    house.say("button-1", AlarmSignal(kind=SignalKind.SOS))
    house.say("band-2", VitalSigns(hr=99))
    eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")))
    eventually(lambda: any(i.device == "band-2" for b in house.centre.batches() for i in b.items))
    assert queued(house) > 3_000, "most of the backlog is still to come"


def test_a_batch_without_receipt_comes_again_unchanged(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "BATCH_RESEND_S", (0.5, 2.0))
    fill(house.folder, 10)
    house.centre.refuses = lambda topic, _payload: topic.endswith("/batch")
    running = house.start()
    topic = house.centre.topic(Leaf.BATCH)
    payloads = eventually(
        lambda: len(found := [p for p in house.centre.of(topic) if b"-probe-" not in p]) >= 2 and found
    )
    running.stop()
    house.centre.refuses = lambda _topic, _payload: False
    house.start()
    eventually(lambda: queued(house) == 0)
    assert len(set(payloads) | {p for p in house.centre.of(topic) if b"-probe-" not in p}) == 1


def test_a_batch_that_is_never_receipted_stops_nothing_and_is_not_sent_without_end(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(uplink, "BATCH_RESEND_S", (0.2, 0.4))
    monkeypatch.setattr(uplink, "PROBE_EVERY_S", 0.5)
    monkeypatch.setattr(uplink, "FRESH_EVERY_S", 0.5)
    fill(house.folder, 3_000)
    poison: list[str] = []

    def refuses(topic: str, payload: bytes) -> bool:
        if not topic.endswith("/batch") or b"-probe-" in payload:
            return False
        batch_id = wire.decode_batch(payload).batch_id
        if len(poison) < 3 and batch_id not in poison:
            poison.append(batch_id)
        return batch_id in poison

    house.centre.refuses = refuses
    house.start()
    eventually(lambda: queued(house) <= 400, timeout_s=40)
    house.say("button-1", AlarmSignal(kind=SignalKind.SOS))
    eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")))
    eventually(lambda: caplog.text.count("set aside") == 3)

    def tries() -> list[str]:
        return [batch.batch_id for batch in house.centre.batches() if batch.batch_id in poison]

    def fresh() -> set[float | None]:
        items = [item for batch in house.centre.batches() for item in batch.items]
        return {item.hr for item in items if isinstance(item, VitalSigns) and item.device == "band-2"}

    before = tries()
    # What is due again goes before what is fresh, and that goes every half second: with the third of these,
    # each batch that is not set aside has come once more, for it waits 0.4 s at most.
    for hr in (101, 102, 103):
        house.say("band-2", VitalSigns(hr=hr))
        eventually(lambda: hr in fresh())  # noqa: B023 - called at once
    assert tries() == before, "set aside"
    assert queued(house) > 0, "but not forgotten"


def test_one_id_for_several_signals_and_none_is_lost(house: House) -> None:
    """A receipt says which: raised and cleared bear the id of the press, and devices share ids."""
    held: list[bytes] = []

    def refuses(topic: str, payload: bytes) -> bool:
        if topic.endswith("/alarm") and len(held) < 1:
            held.append(payload)
            return True
        return False

    house.centre.refuses = refuses
    house.start()
    for device in ("button-1", "button-2"):
        for state in (SignalState.RAISED, SignalState.CLEARED):
            house.say(
                device,
                AlarmSignal(kind=SignalKind.SOS, ts_ms=int(time.time() * 1000), state=state, signal_id="1"),
            )
    said = {device: _states_of(house, device) for device in ("button-1", "button-2")}
    eventually(lambda: queued(house) == 0)
    for states in said.values():
        assert states.index(SignalState.RAISED) < states.index(SignalState.CLEARED), "in order"
        assert states[-1] is SignalState.CLEARED


def _states_of(house: House, device: str) -> list[SignalState]:
    """Once the end of its alarm has come: all that came, in order."""
    topic = house.centre.topic(Leaf.ALARM, device)

    def states() -> list[SignalState]:
        messages = [wire.decode(Leaf.ALARM, payload) for payload in house.centre.of(topic)]
        return [message.state for message in messages if isinstance(message, AlarmSignal)]

    eventually(lambda: SignalState.CLEARED in states())
    return states()


def test_a_connection_that_swallows_everything_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.link.ANSWER_S_MAX", 2.0)
    with proxies() as network:
        way = network.to(house.centre_port)
        running = house.start(uplink_port=way.port)
        eventually(lambda: running.gateway.uplink.connected)
        way.half_open()
        house.say("button-1", AlarmSignal(kind=SignalKind.SOS))
        eventually(lambda: not running.gateway.uplink.connected)
        way.restore()
        eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")))
        eventually(lambda: queued(house) == 0)
        running.stop()


def test_the_centre_tells_the_time_to_a_box_that_thinks_it_is_1970(house: House) -> None:
    began_ms = time.time_ns() // 1_000_000
    clock = Clock(wall_ms=lambda: time.time_ns() // 1_000_000 - began_ms, synchronised=lambda: False)
    running = house.start(clock=clock)
    house.say("band-1", VitalSigns(hr=72))
    (batch,) = eventually(house.centre.batches)
    assert not batch.clock_suspect
    assert abs(batch.items[0].ts_ms - began_ms) < 30_000
    status = running.gateway.edge.status()
    assert status.clock_off_ms is not None
    assert abs(status.clock_off_ms + began_ms) < 30_000


def test_a_box_that_nobody_tells_the_time_says_that_it_is_unsure(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "TIME_WAIT_S_MAX", 1.0)
    house.centre.tells_time = lambda: None
    clock = Clock(synchronised=lambda: False)
    house.start(clock=clock)
    house.say("band-1", VitalSigns(hr=72))
    house.say("band-1", VitalSigns(hr=73, ts_ms=1_794_000_000_000))
    eventually(lambda: sum(len(batch.items) for batch in house.centre.batches()) == 2)
    suspect = {
        item.hr: batch.clock_suspect
        for batch in house.centre.batches()
        for item in batch.items
        if isinstance(item, VitalSigns)
    }
    assert suspect == {72: True, 73: False}


def test_it_fits_on_a_small_box(brokers: tuple[int, int], tmp_path: Path) -> None:
    from benchmarks.house import GatewayProcess
    from benchmarks.stack import resident_mb

    fill(tmp_path / "outbox", 20_000)
    lan_port, centre_port = brokers
    centre = Centre(centre_port, "small", "gw-small")
    gateway = GatewayProcess(
        {
            "mqtt_url": f"mqtt://127.0.0.1:{centre_port}",
            "site": "small",
            "name": "gw-small",
            "lan_url": f"mqtt://127.0.0.1:{lan_port}",
            "data": tmp_path / "outbox",
        },
        tmp_path / "log",
    )
    gateway.start()
    try:
        eventually(lambda: sum(len(batch.items) for batch in centre.batches()) >= 20_000, timeout_s=60)
        assert resident_mb(gateway.pid) < 80
    finally:
        assert gateway.stop() == 0
        centre.close()
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
