"""The edge between two real brokers: dialect, outbox, adoption, and the siren of the house."""

import json
import sqlite3
from typing import Any

import pytest

from gateway import interpreter, outbox
from gateway.errors import OutboxError
from gateway.link import Link
from protocol import wire
from protocol.model import (
    EARLY_ID,
    Activity,
    ActivityEvent,
    Adoption,
    AlarmSignal,
    DeviceKind,
    DeviceStatus,
    GatewayConfig,
    SignalKind,
    SignalState,
    VitalSigns,
)
from protocol.wire import Command, CommandKind, Leaf, Topic
from tests.gateway.conftest import Client, House, eventually

Z2M_DEVICES = [
    {
        "ieee_address": "0x00158d0001a2b3c4",
        "friendly_name": "kitchen_motion",
        "type": "EndDevice",
        "supported": True,
        "power_source": "Battery",
        "definition": {
            "model": "RTCGQ11LM",
            "vendor": "Aqara",
            "description": "Motion sensor",
            "exposes": [
                {"type": "binary", "name": "occupancy", "property": "occupancy", "access": 1,
                 "value_on": True, "value_off": False},
            ],
        },
    }
]  # fmt: skip


Z2M_SMOKE: dict[str, Any] = {
    **Z2M_DEVICES[0],
    "ieee_address": "0x00158d0001a2b3c5",
    "friendly_name": "kitchen_smoke",
    "definition": {
        "model": "JTYJ-GD-01LM/BW",
        "vendor": "Aqara",
        "description": "Smoke detector",
        "exposes": [
            {"type": "binary", "name": "smoke", "property": "smoke", "access": 1,
             "value_on": True, "value_off": False},
        ],
    },
}  # fmt: skip


def sos(number: int, **fields: Any) -> AlarmSignal:
    return AlarmSignal(kind=SignalKind.SOS, signal_id=f"press-{number}", **fields)


def siren_orders(house: House, device: str | None = None) -> list[str]:
    topic = str(Topic(house.site, device or house.name, Leaf.COMMAND))
    return [str(wire.decode_command(payload).command) for payload in house.lan.of(topic)]


def test_what_a_device_says_in_our_words_arrives_as_it_was_said(house: House) -> None:
    house.start()
    house.say("band-1", VitalSigns(ts_ms=1_794_000_000_123, hr=72))
    house.say("motion-1", Activity(ts_ms=1_794_000_000_456, event=ActivityEvent.MOTION))
    batches = eventually(
        lambda: sum(len(batch.items) for batch in house.centre.batches()) == 2 and house.centre.batches()
    )
    assert sorted((item.device, item.ts_ms) for batch in batches for item in batch.items) == [
        ("band-1", 1_794_000_000_123),
        ("motion-1", 1_794_000_000_456),
    ]


def test_an_sos_is_confirmed_and_the_house_stays_quiet(house: House) -> None:
    running = house.start()
    house.say("button-1", sos(1, ts_ms=5))
    eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")))
    eventually(lambda: running.gateway.edge.health().queued == 0)
    running.stop()
    assert json.loads(running.gateway.edge._siren.remembered())[2] == [], "nothing is left that could sound"
    assert siren_orders(house) == []


def test_a_press_that_comes_in_two_messages_is_one_sos(house: House) -> None:
    button = Adoption(name="button-9", kind=DeviceKind.SOS_BUTTON)
    house.centre.adopt(GatewayConfig(devices={"zigbee2mqtt:button-9": button}))
    running = house.start()
    house.lan.say("zigbee2mqtt/button-9", b'{"action":"emergency"}')
    house.lan.say("zigbee2mqtt/button-9", b'{"sos":true}')
    eventually(lambda: "the same press once more" in running.gateway.edge.health().ignored)
    alarm = house.centre.topic(Leaf.ALARM, "button-9")
    eventually(lambda: house.centre.of(alarm))
    eventually(lambda: running.gateway.edge.health().queued == 0)
    assert len({wire.decode(Leaf.ALARM, payload).signal_id for payload in house.centre.of(alarm)}) == 1  # type: ignore[union-attr]


def test_what_a_client_asks_of_its_server_is_answered(house: House) -> None:
    house.start(dialects="thingsboard")
    asker = Client(house.lan_port, "v1/devices/me/rpc/response/+")
    try:
        asker.say("v1/devices/me/rpc/request/7", b'{"method":"getSessionLimits","params":{}}')
        eventually(lambda: asker.of("v1/devices/me/rpc/response/7"))
    finally:
        asker.close()


def test_what_the_centre_does_not_confirm_sounds_in_the_house_until_it_does(house: House) -> None:
    house.centre.refuses = lambda topic, _payload: topic.endswith("/alarm")
    house.centre.adopt(
        GatewayConfig(devices={"anshou:siren-1": Adoption(name="siren-1", kind=DeviceKind.SIREN)})
    )
    running = house.start()
    eventually(lambda: running.gateway.uplink.connected)
    house.say("button-1", sos(1))
    eventually(lambda: siren_orders(house, "siren-1") == ["siren"])
    assert siren_orders(house) == ["siren"], "and whoever listens to the gateway"
    house.centre.refuses = lambda _topic, _payload: False
    eventually(lambda: siren_orders(house, "siren-1") == ["siren", "cancel"])


def test_cancelled_at_the_device_although_there_is_no_centre(house: House) -> None:
    house.start(uplink_port=9)
    house.say("button-1", sos(1))
    eventually(lambda: siren_orders(house) == ["siren"])
    house.say("button-1", sos(1, state=SignalState.CANCELLED))
    eventually(lambda: siren_orders(house) == ["siren", "cancel"])


def test_a_restart_does_not_forget_that_it_sounds(house: House) -> None:
    running = house.start(uplink_port=9)
    house.say("button-1", sos(1))
    eventually(lambda: siren_orders(house) == ["siren"])
    running.stop()
    house.start()
    eventually(lambda: siren_orders(house)[-1] == "cancel")
    assert house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")), "the centre confirmed it at last"


def test_the_centre_orders_the_siren_and_its_end(house: House) -> None:
    running = house.start()
    eventually(lambda: running.gateway.uplink.connected)
    for order in (CommandKind.SIREN, CommandKind.CANCEL):
        house.centre.say(house.centre.topic(Leaf.COMMAND), wire.encode(Command(command=order)))
    eventually(lambda: siren_orders(house) == ["siren", "cancel"])


def test_an_unknown_device_is_proposed_waits_and_goes_out_when_adopted(house: House) -> None:
    running = house.start()
    house.lan.say("zigbee2mqtt/bridge/devices", json.dumps(Z2M_DEVICES).encode())
    house.lan.say("zigbee2mqtt/kitchen_motion", b'{"occupancy": true, "battery": 90}')
    (proposal,) = eventually(
        lambda: [wire.decode_proposal(p) for p in house.centre.of(house.centre.topic(Leaf.PROPOSAL))]
    )
    assert proposal.key.startswith("zigbee2mqtt:")
    assert proposal.kind is DeviceKind.MOTION
    eventually(lambda: running.gateway.edge.health().waiting >= 1)
    assert house.centre.batches() == []
    house.centre.adopt(
        GatewayConfig(devices={proposal.key: Adoption(name="motion-0001", kind=DeviceKind.MOTION)})
    )
    batches = eventually(house.centre.batches)
    assert {item.device for batch in batches for item in batch.items} == {"motion-0001"}
    assert any(isinstance(item, Activity) for batch in batches for item in batch.items)


def test_a_device_that_announces_its_own_topic_is_listened_to(house: House) -> None:
    running = house.start()
    announced = "homeassistant/binary_sensor/hall_pir/config"
    about = {
        "name": "Hall",
        "device_class": "motion",
        "state_topic": "esp/hall/pir/state",
        "unique_id": "hall-pir",
        "device": {"identifiers": ["esp-hall"], "manufacturer": "ESPHome", "model": "pir"},
    }
    house.lan.say(announced, json.dumps(about).encode())
    (proposal,) = eventually(
        lambda: [wire.decode_proposal(p) for p in house.centre.of(house.centre.topic(Leaf.PROPOSAL))]
    )
    assert proposal.key.startswith("homeassistant:")
    house.centre.adopt(
        GatewayConfig(devices={proposal.key: Adoption(name="motion-0001", kind=DeviceKind.MOTION)})
    )
    said = iter([b"OFF", b"ON"] * 50)

    def activities() -> list[Activity]:
        house.lan.say("esp/hall/pir/state", next(said))
        batches = house.centre.batches()
        return [item for batch in batches for item in batch.items if isinstance(item, Activity)]

    assert eventually(activities)[0].event == "motion"
    running.stop()
    house.start()  # what was announced is known after a restart as well
    before = len(house.centre.batches())
    eventually(lambda: activities() and len(house.centre.batches()) > before)


def test_a_refused_device_is_forgotten_and_what_it_says_is_counted(house: House) -> None:
    running = house.start()
    house.lan.say("zigbee2mqtt/bridge/devices", json.dumps(Z2M_DEVICES).encode())
    house.lan.say("zigbee2mqtt/kitchen_motion", b'{"occupancy": true}')
    eventually(lambda: running.gateway.edge.health().waiting)
    proposal = wire.decode_proposal(eventually(lambda: house.centre.of(house.centre.topic(Leaf.PROPOSAL)))[0])
    house.centre.adopt(GatewayConfig(refused=(proposal.key,)))
    eventually(lambda: running.gateway.edge.health().waiting == 0)
    house.lan.say("zigbee2mqtt/kitchen_motion", b'{"occupancy": false}')
    eventually(lambda: running.gateway.edge.health().ignored.get("device refused"))


def test_garbage_is_counted_and_stops_nothing(house: House) -> None:
    running = house.start()
    topic = str(Topic(house.site, "band-1", Leaf.VITALS))
    for payload in (b"", b"null", b"\xff\xfe", b"[" * 10_000, b'{"hr": 9999}', b"{}"):
        house.lan.say(topic, payload)
    house.say("band-1", VitalSigns(hr=72))
    eventually(house.centre.batches)
    health = running.gateway.edge.health()
    assert sum(health.ignored.values()) == 6
    assert sum(field.count for fields in health.unheard.values() for field in fields.values()) == 6


def test_what_was_retained_before_raises_no_alarm(house: House) -> None:
    house.lan.say(str(Topic(house.site, "button-1", Leaf.ALARM)), wire.encode(sos(1)), retain=True)
    running = house.start()
    eventually(lambda: running.gateway.edge.health().ignored)
    assert running.gateway.edge.health().queued == 0
    house.lan.say(str(Topic(house.site, "button-1", Leaf.ALARM)), b"", retain=True)


def test_health_lies_on_the_lan_for_whoever_installs_it(house: House) -> None:
    house.start(uplink_port=9)
    topic = f"anshou/v1/{house.site}/{house.name}/health"
    health = json.loads(eventually(lambda: house.lan.of(topic))[0])
    assert health["uplink"] != "connected"
    assert health["disk"] == "sound"
    status = wire.decode(
        Leaf.STATUS, eventually(lambda: house.lan.of(str(Topic(house.site, house.name, Leaf.STATUS))))[0]
    )
    assert isinstance(status, DeviceStatus)
    assert status.online


def test_a_full_disk_stops_no_sos(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk comes back later: what it did not take then is there once, and under the same id."""
    running = house.start()
    eventually(lambda: running.gateway.uplink.connected)
    with monkeypatch.context() as disk:
        disk.setattr(outbox.Outbox, "keep", refuse)
        house.say("button-1", AlarmSignal(kind=SignalKind.SOS))
        alarms = house.centre.topic(Leaf.ALARM, "button-1")
        eventually(lambda: house.centre.of(alarms))
        eventually(lambda: running.gateway.edge._disk != "sound")
    eventually(lambda: running.gateway.edge.health().disk == "sound")
    eventually(lambda: len(house.centre.of(alarms)) >= 2)
    assert len({(s.signal_id, s.ts_ms) for s in map(_alarm, house.centre.of(alarms))}) == 1


def test_an_sos_does_not_wait_behind_what_the_full_disk_did_not_take(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = house.start()
    eventually(lambda: running.gateway.uplink.connected)
    alarms = house.centre.topic(Leaf.ALARM, "button-1")
    with monkeypatch.context() as disk:
        disk.setattr(outbox.Outbox, "keep", refuse)
        house.say("band-1", VitalSigns(hr=72))
        eventually(lambda: running.gateway.edge._pending)
        house.say("button-1", AlarmSignal(kind=SignalKind.SOS))
        eventually(lambda: house.centre.of(alarms))
        house.say("band-1", VitalSigns(hr=73))
    batches = eventually(house.centre.batches)
    eventually(lambda: sum(len(batch.items) for batch in house.centre.batches()) == 2)
    assert {item.device for batch in batches for item in batch.items} == {"band-1"}
    eventually(lambda: running.gateway.edge.health().queued == 0)
    assert len({(s.signal_id, s.ts_ms) for s in map(_alarm, house.centre.of(alarms))}) == 1


def test_an_alarm_heard_before_its_device_is_adopted_goes_when_it_is_though_the_disk_is_full(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the centre adopts holds at once; the list is on the disk when there is room again."""
    running = house.start()
    house.lan.say("zigbee2mqtt/bridge/devices", json.dumps([Z2M_SMOKE]).encode())
    proposal = wire.decode_proposal(eventually(lambda: house.centre.of(house.centre.topic(Leaf.PROPOSAL)))[0])
    alarms = house.centre.topic(Leaf.ALARM, "alarm-0001")
    config = GatewayConfig(devices={proposal.key: Adoption(name="alarm-0001", kind=DeviceKind.SMOKE)})
    with monkeypatch.context() as disk:
        disk.setattr(outbox.Outbox, "keep", refuse)
        disk.setattr(outbox.Outbox, "configure", refuse)
        house.lan.say("zigbee2mqtt/kitchen_smoke", b'{"smoke": true}')
        eventually(lambda: running.gateway.edge._pending)
        house.centre.adopt(config)
        eventually(lambda: house.centre.of(alarms))
        house.say("button-1", AlarmSignal(kind=SignalKind.SOS))
        eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")))
        assert running.gateway.edge._outbox.config() == GatewayConfig()
    eventually(lambda: running.gateway.edge._outbox.config() == config)
    eventually(lambda: running.gateway.edge.health().queued == 0)
    assert running.gateway.edge.health().waiting == 0
    assert len({(s.signal_id, s.ts_ms) for s in map(_alarm, house.centre.of(alarms))}) == 1


def test_a_flood_on_a_full_disk_is_bounded_and_an_sos_in_it_is_heard(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "UNACKNOWLEDGED_MAX", 20)
    running = house.start()
    eventually(lambda: running.gateway.uplink.connected)
    with monkeypatch.context() as disk:
        disk.setattr(outbox.Outbox, "keep", refuse)
        for number in range(30):
            reading = VitalSigns(hr=60 + number)
            house.lan.say(str(Topic(house.site, "band-1", Leaf.VITALS)), wire.encode(reading), qos=0)
            if number == 4:
                eventually(lambda: running.gateway.edge._pending)
        button = str(Topic(house.site, "button-1", Leaf.ALARM))
        house.lan.say(button, wire.encode(AlarmSignal(kind=SignalKind.SOS)), qos=0)
        eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "button-1")))
    # Each counts once: a batch whose receipt is late is sent again.
    eventually(lambda: len({item for batch in house.centre.batches() for item in batch.items}) == 20)
    eventually(lambda: running.gateway.edge.health().dropped == 10)


def refuse(*_arguments: Any, **_options: Any) -> list[int]:
    raise OutboxError("the disk is full") from sqlite3.OperationalError("database or disk is full")


def _alarm(payload: bytes) -> AlarmSignal:
    signal = wire.decode(Leaf.ALARM, payload)
    assert isinstance(signal, AlarmSignal)
    return signal


def test_a_message_whose_acknowledgement_was_lost_is_kept_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker sends it again after a restart; it has no time of its own to tell it from a new one."""
    monkeypatch.setattr(Link, "acknowledge", lambda *_arguments: None)
    running = house.start(uplink_port=9)
    house.say("band-1", VitalSigns(hr=72))
    eventually(lambda: running.gateway.edge.health().queued == 1)
    running.stop()
    monkeypatch.undo()
    running = house.start()
    house.say("band-1", VitalSigns(hr=73))
    eventually(lambda: sum(len(batch.items) for batch in house.centre.batches()) >= 2)
    items = [item for batch in house.centre.batches() for item in batch.items]
    assert sorted(item.hr or 0 for item in items if isinstance(item, VitalSigns)) == [72, 73]


def test_a_call_for_help_of_a_device_that_nobody_has_adopted_is_told_at_once(house: House) -> None:
    house.start()
    house.lan.say("zigbee2mqtt/bridge/devices", json.dumps([Z2M_SMOKE]).encode())
    proposal = wire.decode_proposal(eventually(lambda: house.centre.of(house.centre.topic(Leaf.PROPOSAL)))[0])
    house.lan.say("zigbee2mqtt/kitchen_smoke", b'{"smoke": true}')
    (told,) = map(_alarm, eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM))))
    assert (told.kind, told.key) == (SignalKind.SMOKE, proposal.key)
    assert told.signal_id is not None
    assert EARLY_ID.match(told.signal_id)
    house.centre.adopt(
        GatewayConfig(devices={proposal.key: Adoption(name="alarm-0001", kind=DeviceKind.SMOKE)})
    )
    own = _alarm(eventually(lambda: house.centre.of(house.centre.topic(Leaf.ALARM, "alarm-0001")))[0])
    assert (own.signal_id, own.ts_ms, own.key) == (told.signal_id, told.ts_ms, None)
