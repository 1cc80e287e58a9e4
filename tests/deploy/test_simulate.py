"""`anshou simulate --incident KIND` against the real database and broker."""

import asyncio
import re
from datetime import date

import pytest
import typer
from typer.testing import CliRunner

from care import registry
from care.model import CareCategory, SiteKind
from database.connections import connect
from deploy.simulate import say_incident, simulate
from protocol.model import AlarmSignal, DeviceKind, SignalKind
from simulator.errors import IncidentNotPossibleError
from simulator.publish import client_for
from tests.servers import Broker, Database

app = typer.Typer()
app.command()(simulate)


@pytest.fixture
def site(database: Database, broker: Broker) -> str:
    """A home with one resident, 张三, who has a button and a mattress, and a radar in the bathroom."""
    with connect(database.owner_url) as connection:
        code = f"{broker.site}-home"
        site = registry.add_site(connection, code=code, kind=SiteKind.CARE_HOME, name="家", township="镇")
        bed = registry.bed_in(connection, site.id, "103", "1")
        bathroom = registry.add_room(connection, site.id, "103卫生间")
        elsewhere = registry.add_room(connection, site.id, "104卫生间")
        person = registry.add_resident(
            connection,
            site_id=site.id,
            name="张三",
            sex="male",
            born_on=date(1940, 1, 1),
            category=CareCategory.TEKUN_CENTRALISED,
            bed_id=bed,
        )
        for kind, name in ((DeviceKind.SOS_BUTTON, "button"), (DeviceKind.SMART_MATTRESS, "mattress")):
            registry.add_device(
                connection, site=site, kind=kind, name=f"{code}-{name}", resident_id=person.id
            )
        for room, name in ((elsewhere, "a-radar"), (bathroom, "radar")):
            registry.add_device(
                connection, site=site, kind=DeviceKind.FALL_RADAR, name=f"{code}-{name}", room_id=room
            )
    return code


@pytest.fixture
def environ(database: Database, broker: Broker) -> dict[str, str]:
    return {
        "ANSHOU_DATABASE_URL": database.owner_url,
        "ANSHOU_MQTT_URL": broker.url("simulator"),
        "COLUMNS": "250",
    }


def said_about(database: Database, kind: SignalKind) -> list[str]:
    with connect(database.owner_url) as connection:
        person = registry.find_resident(connection, "张三")
        sayings = say_incident(connection, person, kind)
    assert isinstance(sayings[-1].message, AlarmSignal)
    assert sayings[-1].message.kind is kind
    return [f"{saying.site}/{saying.device}" for saying in sayings]


def test_the_nearest_device_that_can_tell_it_speaks(database: Database, site: str) -> None:
    assert said_about(database, SignalKind.SOS) == [f"{site}/{site}-button"]
    assert said_about(database, SignalKind.FALL) == [f"{site}/{site}-radar"]
    assert said_about(database, SignalKind.BED_EXIT) == [f"{site}/{site}-mattress"] * 2


def test_what_cannot_be_told_names_what_can(database: Database, site: str) -> None:
    with pytest.raises(IncidentNotPossibleError, match=r"张三.*can say smoke.*sos, fall, bed_exit"):
        said_about(database, SignalKind.SMOKE)


def test_an_incident_reaches_the_broker(site: str, broker: Broker, environ: dict[str, str]) -> None:
    async def press() -> tuple[str, bytes]:
        async with client_for(broker.url("alarms"), f"{broker.site}-ear") as client:
            await client.subscribe("anshou/v1/+/+/alarm", qos=1)
            arguments = ["--incident", "sos", "--resident", "张三"]
            result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environ)
            assert result.exit_code == 0, result.output
            assert re.search(rf"anshou/v1/{site}/{site}-button/alarm .*\"alarm\":\"sos\"", result.output)
            async with asyncio.timeout(10):
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    if str(message.topic).split("/")[2] == site:
                        return str(message.topic), message.payload
        raise AssertionError("the broker went away")

    topic, payload = asyncio.run(press())
    assert topic == f"anshou/v1/{site}/{site}-button/alarm"
    assert b'"alarm":"sos"' in payload


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--incident", "sos"], "Give both --incident and --resident"),
        (["--resident", "张三"], "Give both --incident and --resident"),
        (["--incident", "flood", "--resident", "张三"], "Known are: sos, fall, smoke"),
        (["--incident", "sos", "--resident", "李四"], "no resident '李四'"),
        (["--incident", "gas", "--resident", "张三"], "those that are there can say: sos, fall, bed_exit"),
    ],
)
def test_mistakes_are_explained(
    site: str, environ: dict[str, str], arguments: list[str], complaint: str
) -> None:
    result = CliRunner().invoke(app, arguments, env=environ)
    assert result.exit_code == 2
    assert complaint in result.output
