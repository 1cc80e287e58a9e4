"""Plain JSON by the settings file: mapping, units, packed strings, times; and files that are wrong."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects import registry
from gateway.dialects.plain import Plain
from protocol.environment import SettingsError
from protocol.model import DeviceKind
from tests.gateway.dialects.house import ALIVE, SOS, House, activity, cleared, raised, status, vitals

SETTINGS = """
[[plain]]
topic = "clinic/{device}/bp"
kind = "bp_cuff"
vendor = "Maker"
time = { field = "at", format = "iso" }
fields = [
  { field = "packed", index = 0, says = "vitals.sbp" },
  { field = "packed", index = 1, says = "vitals.dbp" },
  { field = "packed", index = 2, says = "vitals.hr" },
]

[[plain]]
topic = "kiosk/+/data"
device_field = "sn"
kind = "health_kiosk"
time = { field = "ms", format = "epoch_ms" }
[[plain.fields]]
field = "body.temp"
says = "vitals.temp"
unit = "degF"
[[plain.fields]]
field = "sys"
says = "vitals.sbp"
unit = "kPa"
[[plain.fields]]
field = "glu"
says = "vitals.glucose"
unit = "mg/dL"
[[plain.fields]]
field = "list.0.lb"
says = "vitals.weight"
unit = "lb"
[[plain.fields]]
field = "o2"
says = "vitals.spo2"
scale = 0.1
offset = 2

[[plain]]
topic = "bed/#"
device = "bed-1"
[[plain.fields]]
field = "state"
says = "activity.in_bed"
on = "B"
off = "L"
[[plain.fields]]
field = "cry"
says = "alarm.sos"
on = 9
[[plain.fields]]
field = "turn"
says = "activity.turned"
[[plain.fields]]
field = "leak"
says = "alarm.water"
inverted = true
[[plain.fields]]
field = "steps"
says = "activity.motion"
momentary = true
[[plain.fields]]
field = "power"
says = "status.battery"

[[plain]]
topic = "button/{device}"
[[plain.fields]]
says = "alarm.sos"
on = "PRESSED"
"""


@pytest.fixture
def house() -> House:
    return House(Plain(registry.read(SETTINGS).plain))


def test_topics_become_filters(house: House) -> None:
    assert list(house.dialect.filters({})) == ["clinic/+/bp", "kiosk/+/data", "bed/#", "button/+"]


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        (
            "clinic/王/bp",
            {"packed": "128,76,72", "at": "2026-11-20T23:33:22"},
            [vitals(ts=1_795_188_802_000, hr=72, sbp=128, dbp=76)],
        ),
        ("clinic/a/bp", {"packed": " 128 , ,x", "at": "soon"}, [vitals(sbp=128)]),
        ("clinic/a/bp", {"packed": [128, 76]}, [vitals(sbp=128, dbp=76)]),
        (
            "clinic/a/bp",
            [{"packed": "120,70,60"}, {"packed": "121,71,61"}],
            [vitals(hr=60, sbp=120, dbp=70), vitals(hr=61, sbp=121, dbp=71)],
        ),
        (
            "kiosk/x/data",
            {"sn": 7, "body": {"temp": "98.6"}, "ms": 1_795_188_802_000},
            [vitals(ts=1_795_188_802_000, temp=37)],
        ),
        (
            "kiosk/x/data",
            {"sn": "7", "sys": 16, "glu": 99, "list": [{"lb": 150}], "o2": 950},
            [vitals(spo2=97, sbp=120.01, glucose=5.495, weight=68.039)],
        ),
        ("kiosk/x/data", {"sn": "7", "sys": 1}, []),
        ("kiosk/x/data", {"sys": 16}, []),
        ("bed/any/where", {"state": "B"}, [activity("in_bed")]),
        ("bed/any", {"state": "?"}, []),
        ("bed/any", {"cry": 9}, [SOS]),
        ("bed/any", {"turn": 1, "steps": 4}, [activity("turned"), activity("motion")]),
        ("bed/any", {"power": "55"}, [status(battery=55)]),
        ("button/b1", b"PRESSED", [SOS]),
        ("button/b1", b"RELEASED", []),
        ("button/b1", b"\xff", []),
        ("clinic/a/bp", b"\xff", []),
        ("clinic/a/b/bp", {"packed": "128,76,72"}, []),
    ],
)
def test_what_is_mapped_is_heard(house: House, topic: str, payload: Any, expected: list[Any]) -> None:
    assert house.says(topic, payload) == expected


def test_devices_are_named_by_topic_field_or_settings(house: House) -> None:
    keys = [
        house.hears(topic, payload)[0][0]
        for topic, payload in (
            ("clinic/王/bp", {"packed": "128,76,72"}),
            ("kiosk/x/data", {"sn": 7, "sys": 16}),
            ("bed/x", {"cry": 9}),
        )
    ]
    assert keys == ["plain:王", "plain:7", "plain:bed-1"]
    proposed = house.proposed["plain:王"]
    assert (proposed.kind, proposed.vendor) == (DeviceKind.BP_CUFF, "Maker")
    assert proposed.says == ("vitals.dbp", "vitals.hr", "vitals.sbp")


def test_states_are_told_when_they_change_presses_each_time(house: House) -> None:
    def hears(**fields: Any) -> list[Any]:
        return house.says("bed/x", fields)

    assert [hears(state=state) for state in "BBLB"] == [
        [activity("in_bed")],
        [],
        [activity("out_of_bed")],
        [activity("in_bed")],
    ]
    assert [hears(leak=leak) for leak in (1, 0, 0, 1)] == [[], [raised("water")], [], [cleared("water")]]
    assert [hears(cry=9) for _ in range(2)] == [[SOS], [SOS]]
    assert house.hears("bed/x", {"cry": 9, "state": "L", "steps": 1}, retained=True) == []


def test_what_does_not_fit_is_ignored_with_a_reason(house: House) -> None:
    assert house.hears("bed/x", {"other": 1}) == [("plain:bed-1", ALIVE)]
    house.told("kiosk/x/data", {"sys": 16})
    house.told("kiosk/x/data", {"sn": "7", "sys": 1})
    house.told("clinic/a/bp", "no json")
    assert house.ignored == [
        "none of the mapped fields is there",
        "a device without an address",
        "sbp outside 40 to 300 mm[Hg]",
        "not JSON",
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[[plain]\n", 1, "Expected"),
        ('[[plain]]\ntopic = "a/{device}"\nfields = []\n', 3, "length"),
        (
            '[[plain]]\ntopic = "a/{device}"\n[[plain.fields]]\nfield = "x"\nsays = "vitals.pulse"\n',
            5,
            "'vitals.pulse' is unknown; known are activity.absence",
        ),
        (
            (
                '[[plain]]\ntopic = "a/{device}"\n[[plain.fields]]\nsays = "vitals.hr"\n[[plain.fields]]\n'
                'field = "t"\nsays = "vitals.temp"\nunit = "kPa"\n'
            ),
            8,
            "'kPa' is not a unit of temp; known",
        ),
        (
            '[[plain]]\ntopic = "a/{device}"\n[[plain.fields]]\nsays = "activity.motion"\nunit = "%"\n',
            5,
            "only vital signs have a unit",
        ),
        (
            '[[plain]]\ntopic = "a/{device}"\n[[plain.fields]]\nsays = "vitals.hr"\nfactor = 2\n',
            5,
            "is unknown; known are says, field, index, separator, unit",
        ),
        ('[[plain]]\ntopic = "a/b"\nfields = [{ says = "vitals.hr" }]\n', 2, "who speaks"),
        ('[[plain]]\ntopic = "a/x{device}"\nfields = [{ says = "vitals.hr" }]\n', 2, "whole levels"),
        ('[[plain]]\ntopic = "#/{device}"\nfields = [{ says = "vitals.hr" }]\n', 2, "whole levels"),
        (
            (
                '[[plain]]\ntopic = "a/{device}"\nfields = [{ says = "vitals.hr" }]\n'
                '[[plain]]\ntopic = "a/{device}"\nfields = [{ says = "vitals.hr" }]\n'
            ),
            5,
            "stands twice",
        ),
        (
            '[[plain]]\ntopic = "a/{device}"\nkind = "toaster"\nfields = [{ says = "vitals.hr" }]\n',
            3,
            "toaster",
        ),
        ("\n[zigbee]\nx = 1\n", 2, "is unknown; known are zigbee2mqtt, thingsboard, homeassistant, plain"),
        ('[zigbee2mqtt]\nbase_topic = "z"\n', 2, "known are base_topics, suspected_falls, devices"),
        ('[zigbee2mqtt.devices."0x1"]\ncontact = "bed"\n', 2, "'bed' is unknown"),
        (
            '[thingsboard.keys.t1]\nsays = "vitals.temp"\nunit = "furlong"\n',
            3,
            "'furlong' is not a unit of temp",
        ),
        ('[homeassistant]\nprefix = "a/#"\n', 2, "is not a topic"),
    ],
)
def test_a_wrong_file_says_where_what_and_what_is_known(text: str, line: int, says: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        registry.read(text, "dialects.toml")
    message = str(refusal.value)
    assert message.startswith("dialects.toml")
    assert f"line {line}" in message
    assert says in message


def test_dialects_come_by_name() -> None:
    settings = registry.read(SETTINGS)
    spoken = registry.by_name(registry.NAMES, settings, site="home", gateway="gw")
    assert [dialect.name for dialect in spoken] == list(registry.NAMES)
    with pytest.raises(SettingsError, match="'zwave' is unknown; known are anshou, zigbee2mqtt"):
        registry.by_name(["zwave"], site="home", gateway="gw")
    with pytest.raises(SettingsError, match="plain"):
        registry.by_name(["plain"], site="home", gateway="gw")


def test_the_examples_in_the_guide_are_read_as_they_stand() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "devices.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        registry.read(example, "docs/devices.md")
