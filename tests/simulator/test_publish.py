"""The player against the real broker."""

import asyncio
import contextlib
import dataclasses
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import pytest

from protocol import wire
from protocol.environment import SettingsError
from protocol.model import AlarmSignal, SignalKind
from simulator import events
from simulator.county import plan_county
from simulator.errors import SimulatorError
from simulator.plan import County
from simulator.pour import pour
from simulator.publish import Player, Saying, client_for, publish_all
from simulator.story import Story
from tests import servers
from tests.servers import Broker
from tests.simulator.conftest import DAY

Heard = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def running_broker(database_server: servers.DatabaseServer) -> Iterator[Broker]:
    """A broker of these tests' own: what they leave retained on it, no other test is told."""
    with database_server.clone() as database, servers.broker_running(database.owner_url) as broker:
        yield broker


@pytest.fixture
def county(broker: Broker) -> County:
    """A county whose sites no other test has."""
    plan = plan_county(5, care_homes=6, day_centres=0, households=0)
    sites = tuple(dataclasses.replace(site, name=f"{broker.site}-{site.name}") for site in plan.sites)
    return dataclasses.replace(plan, sites=sites)


def heard_until(
    broker: Broker, act: Callable[[], Awaitable[None]], enough: Callable[[Heard], bool], timeout_s: float
) -> Heard:
    """What the broker passes on of this test's sites while `act` runs, until it is `enough`."""

    async def listen() -> Heard:
        heard: Heard = []
        async with client_for(broker.url("ingest"), f"{broker.site}-ear") as client:
            for leaf in (wire.Leaf.VITALS, wire.Leaf.ACTIVITY, wire.Leaf.ALARM, wire.Leaf.STATUS):
                await client.subscribe(f"{wire.ROOT}/+/+/{leaf}", qos=1)
            acting = asyncio.ensure_future(act())
            try:
                async with asyncio.timeout(timeout_s):
                    async for message in client.messages:
                        topic, payload = str(message.topic), message.payload
                        if topic.split("/")[2].startswith(broker.site) and payload:
                            assert isinstance(payload, bytes)
                            heard.append((topic, payload))
                            if enough(heard):
                                break
            finally:
                acting.cancel()
                await asyncio.gather(acting, return_exceptions=True)
        return heard

    return asyncio.run(listen())


def test_days_are_poured_out_whole_with_their_own_times(broker: Broker) -> None:
    plan = plan_county(5, care_homes=0, day_centres=0, households=2)
    sites = tuple(dataclasses.replace(site, name=f"{broker.site}-{site.name}") for site in plan.sites)
    story = Story(dataclasses.replace(plan, sites=sites))
    expected = [one for day in (DAY, DAY + 1) for one in events.messages(events.as_heard(story.day(day)))]
    progress: list[tuple[int, int]] = []

    async def act() -> None:
        said = await pour(
            story,
            broker.url("simulator"),
            range(DAY, DAY + 2),
            speed=None,
            progress=lambda done, of: progress.append((done, of)),
        )
        assert said == len(expected)

    heard = heard_until(broker, act, lambda heard: len(heard) == len(expected), timeout_s=120)
    payloads = sorted(payload for _, payload in heard)
    assert payloads == sorted(wire.encode(one.message) for one in expected)
    assert progress == [(1, 2), (2, 2)]


def test_days_are_poured_out_whole_over_a_line_that_is_cut(broker: Broker) -> None:
    """What was under way is sent again; nothing is lost."""
    plan = plan_county(6, care_homes=0, day_centres=0, households=3)
    sites = tuple(dataclasses.replace(site, name=f"{broker.site}-{site.name}") for site in plan.sites)
    story = Story(dataclasses.replace(plan, sites=sites))
    expected = {wire.encode(one.message) for one in events.messages(story.day(DAY))}
    cuts = 0

    async def act() -> None:
        nonlocal cuts
        async with _cuttable_line(broker) as (url, cut):
            pouring = asyncio.ensure_future(
                pour(story, url, range(DAY, DAY + 1), speed=None, progress=lambda _done, _of: None)
            )
            try:
                while not pouring.done():
                    await asyncio.sleep(0.2)
                    if cuts < 2:
                        cuts += cut()
                await pouring
            finally:
                pouring.cancel()
                await asyncio.gather(pouring, return_exceptions=True)

    seen: set[bytes] = set()

    def all_there(heard: Heard) -> bool:
        seen.add(heard[-1][1])
        return len(seen) == len(expected)

    heard_until(broker, act, all_there, timeout_s=120)
    assert seen == expected
    assert cuts


@pytest.mark.parametrize("wrong", ["password", "port"])
def test_a_broker_that_refuses_or_is_not_there_is_told(broker: Broker, wrong: str) -> None:
    story = Story(plan_county(6, care_homes=0, day_centres=0, households=1))
    url = broker.url_with("simulator", "wrong") if wrong == "password" else "mqtt://127.0.0.1:9"
    with pytest.raises(SimulatorError, match="did not take the messages"):
        asyncio.run(pour(story, url, range(DAY, DAY + 1), speed=None, progress=lambda _done, _of: None))


def test_at_a_pace_each_message_waits_for_its_time(broker: Broker) -> None:
    plan = plan_county(6, care_homes=0, day_centres=0, households=1)
    sites = tuple(dataclasses.replace(site, name=f"{broker.site}-{site.name}") for site in plan.sites)
    story = Story(dataclasses.replace(plan, sites=sites))
    times_ms = story.day(DAY)["ts_ms"].tolist()

    async def act() -> None:
        await pour(
            story,
            broker.url("simulator"),
            range(DAY, DAY + 1),
            speed=28_800,
            progress=lambda _done, _of: None,
        )

    begun_s = time.monotonic()
    heard = heard_until(broker, act, lambda heard: len(heard) == len(times_ms), timeout_s=120)
    assert time.monotonic() - begun_s > (times_ms[-1] - times_ms[0]) / 1000 / 28_800
    said_ms = [wire.decode(wire.parse_topic(topic).leaf, payload).ts_ms for topic, payload in heard]
    assert said_ms == times_ms


def test_plays_in_real_time_what_the_story_says(broker: Broker, county: County) -> None:
    story = Story(county)
    player = Player(story, broker.url("simulator"))
    begun_ms = time.time_ns() // 1_000_000
    heard = heard_until(broker, player.run, lambda heard: len(heard) >= 15, timeout_s=60)
    now_ms = time.time_ns() // 1_000_000
    times_ms = []
    for topic_text, payload in heard:
        topic = wire.parse_topic(topic_text)
        message = wire.decode(topic.leaf, payload)
        assert message.ts_ms is not None
        times_ms.append(message.ts_ms)
        assert begun_ms - 1000 <= message.ts_ms <= now_ms
    told = story.between(begun_ms, now_ms + 1000)["ts_ms"].tolist()
    assert times_ms == told[told.index(times_ms[0]) :][: len(times_ms)]
    assert player.said.total() >= len(heard) - 1  # the last may still wait for its acknowledgement


def test_a_fast_story_carries_the_time_of_sending(broker: Broker, county: County) -> None:
    begun_ms = time.time_ns() // 1_000_000
    player = Player(Story(county), broker.url("simulator"), speed=300)
    heard = heard_until(broker, player.run, lambda heard: len(heard) >= 1000, timeout_s=60)
    now_ms = time.time_ns() // 1_000_000
    for topic, payload in heard:
        message = wire.decode(wire.parse_topic(topic).leaf, payload)
        assert message.ts_ms is not None
        assert begun_ms <= message.ts_ms <= now_ms


def test_a_broken_line_loses_nothing(broker: Broker, county: County) -> None:
    """Connections are cut again and again; what is heard is the story, whole and in order."""
    story = Story(county)
    cuts = 0

    async def play_over_bad_line() -> None:
        nonlocal cuts
        async with _cuttable_line(broker) as (url, cut):
            playing = asyncio.ensure_future(Player(story, url).run())
            try:
                while not playing.done():
                    await asyncio.sleep(1)
                    cuts += cut()
                await playing
            finally:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)

    begun_ms = time.time_ns() // 1_000_000
    heard = heard_until(
        broker, play_over_bad_line, lambda heard: cuts >= 3 and len(heard) >= 15, timeout_s=90
    )
    told = story.between(begun_ms, time.time_ns() // 1_000_000 + 1000)["ts_ms"].tolist()
    times_ms = [
        wire.decode(wire.parse_topic(topic).leaf, payload).ts_ms for topic, payload in dict.fromkeys(heard)
    ]
    first = told.index(times_ms[0])
    assert times_ms == told[first : first + len(times_ms)]


def test_a_few_messages_are_sent_and_done(broker: Broker) -> None:
    signal = AlarmSignal(ts_ms=1_795_000_000_000, kind=SignalKind.SOS, signal_id="one")

    async def send() -> None:
        await publish_all(broker.url("simulator"), [Saying(f"{broker.site}-h", "button", signal)])

    heard = heard_until(broker, send, bool, timeout_s=20)
    assert heard == [(f"anshou/v1/{broker.site}-h/button/alarm", wire.encode(signal))]


def test_who_is_refused_is_told_so(broker: Broker) -> None:
    signal = AlarmSignal(kind=SignalKind.SOS)
    with pytest.raises(SimulatorError, match="did not take"):
        asyncio.run(publish_all(broker.url_with("simulator", "wrong"), [Saying("s", "d", signal)]))


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(SettingsError, match="mqtt://user:password@host:1883"):
        client_for("localhost:1883", "x")


@contextlib.asynccontextmanager
async def _cuttable_line(broker: Broker) -> AsyncIterator[tuple[str, Callable[[], bool]]]:
    """The broker's address through a proxy, and what cuts every connection on it, if there is one."""
    open_lines: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(broker.host, broker.port)
        lines = {writer, far_writer}
        open_lines.update(lines)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        open_lines.difference_update(lines)

    def cut() -> bool:
        for line in open_lines:
            line.transport.abort()
        return bool(open_lines)

    server = await asyncio.start_server(serve, broker.host, 0, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]
    parts = urlsplit(broker.url("simulator"))
    try:
        yield parts._replace(netloc=f"{parts.username}:{parts.password}@{broker.host}:{port}").geturl(), cut
    finally:
        server.close()
        cut()
