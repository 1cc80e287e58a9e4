"""The live stream: what a page hears, when, and what it does not hear."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from alarms.kinds import AlarmKind
from dashboard.errors import BusyError
from dashboard.live import Hub, Message, Update, Watcher, messages
from database.connections import Connection, connect
from database.errors import DatabaseUnavailableError
from identity.sessions import NoSessionError
from tests.care.conftest import County
from tests.dashboard.ward import Ward
from tests.servers import Database

BEAT_S = 0.3
PATIENCE_S = 20.0


class Page:
    """A page's stream over a hub, with a list that the test writes."""

    def __init__(self, sites: frozenset[int] = frozenset({1}), missed: str = "") -> None:
        self.update = Update("empty", 0, sites)
        self.error: Exception | None = None
        self.rendered = 0
        self.missed = missed
        self.watcher = Watcher()

    def render(self) -> Update:
        self.rendered += 1
        if self.error:
            raise self.error
        return self.update

    def on(self, hub: Hub, beat_s: float = BEAT_S) -> AsyncIterator[Message]:
        return messages(hub, self.watcher, self.render, lambda: self.missed, beat_s, lambda: 42)


async def until(stream: AsyncIterator[Message], event: str) -> Message:
    """The next message of this kind."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in stream:
            if message.event == event:
                return message
    raise AssertionError(f"the stream ended without {event}")


async def listening(hub: Hub) -> asyncio.Task[None]:
    task = asyncio.create_task(hub.run())
    async with asyncio.timeout(PATIENCE_S):
        while not hub.is_listening:  # noqa: ASYNC110 - the hub tells nobody; only this test asks
            await asyncio.sleep(0.01)
    return task


async def over(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def run(test: Callable[[Hub], AsyncIterator[None]], url: str) -> None:
    async def whole() -> None:
        hub = Hub(url)
        task = await listening(hub)
        try:
            async for _ in test(hub):
                pass
        finally:
            await over(task)

    asyncio.run(whole())


def test_the_first_list_comes_at_once_with_its_number(database: Database) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page(missed="while away")
        page.update = Update("one alarm", 17, frozenset({1}))
        stream = page.on(hub)
        assert await anext(stream) == Message("missed", "while away")
        assert await anext(stream) == Message("alarms", "one alarm", "17")
        assert await anext(stream) == Message("beat", "42")
        yield

    run(test, database.web_url)


def test_a_change_is_heard_without_waiting_for_the_beat(
    database: Database, owner: Connection, county: County, ward: Ward
) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page(frozenset({county.home.id}))
        stream = page.on(hub, beat_s=600)
        await until(stream, "beat")
        page.update = Update("an alarm", 1, frozenset({county.home.id}))
        await asyncio.to_thread(ward.alarm, owner, 0, AlarmKind.SOS)
        assert (await until(stream, "alarms")).data == "an alarm"
        yield

    run(test, database.web_url)


def test_a_change_elsewhere_wakes_nobody() -> None:
    watcher = Watcher(sites=frozenset({1, 2}))
    watcher.tell(3)
    assert not watcher.changed.is_set()
    watcher.tell(2)
    assert watcher.changed.is_set()
    stranger = Watcher(sites=frozenset({1}))
    stranger.tell(None)
    assert stranger.changed.is_set(), "perhaps everywhere is also here"


def test_a_storm_of_changes_makes_few_lists(database: Database, owner: Connection, county: County) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page(frozenset({county.home.id}))
        stream = page.on(hub, beat_s=600)
        await until(stream, "beat")
        before = page.rendered

        def storm() -> None:
            for number in range(400):
                owner.execute(
                    "SELECT pg_notify('anshou_alarm', %s)",
                    (f'{{"event": {number}, "alarm": 1, "site": {county.home.id}}}',),
                )

        started = asyncio.get_running_loop().time()
        storming = asyncio.create_task(asyncio.to_thread(storm))
        while not storming.done():
            await until(stream, "beat")
        took_s = asyncio.get_running_loop().time() - started
        assert page.rendered - before <= took_s / 0.1 + 2
        yield

    run(test, database.web_url)


def test_an_unchanged_list_is_not_sent_again(database: Database) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        stream = Page().on(hub, beat_s=0.05)
        kinds = [(await anext(stream)).event for _ in range(5)]
        assert kinds == ["alarms", "beat", "beat", "beat", "beat"]
        yield

    run(test, database.web_url)


def test_the_end_of_the_session_ends_the_stream(database: Database) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page()
        stream = page.on(hub, beat_s=0.05)
        await until(stream, "beat")
        page.error = NoSessionError("over")
        await until(stream, "signed-out")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert hub.size == 0
        yield

    run(test, database.web_url)


def test_a_page_whose_place_is_taken_ends(database: Database) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        pages = [Page() for _ in range(3)]
        leave = [hub.take_seat(page.watcher, 7, 9, 2) for page in pages[:2]]
        oldest = pages[0].on(hub, beat_s=600)
        await until(oldest, "beat")
        leave.append(hub.take_seat(pages[2].watcher, 7, 9, 2))
        async with asyncio.timeout(PATIENCE_S):
            assert [message async for message in oldest] == []
        assert [page.watcher.is_over for page in pages] == [True, False, False]
        for one in leave:  # the one that was ended leaves too, and takes nobody's place with it
            one()
        hub.take_seat(Watcher(), 7, 1, 1)
        with pytest.raises(BusyError):
            hub.take_seat(Watcher(), 8, 1, 1)
        hub.take_seat(Watcher(), 7, 1, 1)
        yield

    run(test, database.web_url)


def test_who_holds_a_lock_keeps_no_change_from_the_pages(
    database: Database, owner: Connection, county: County
) -> None:
    """Whether something can be written is asked on the very connection that hears of changes."""

    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page(frozenset({county.home.id}))
        stream = page.on(hub, beat_s=600)
        await until(stream, "beat")
        page.update = Update("an alarm", 1, frozenset({county.home.id}))
        await asyncio.to_thread(
            owner.execute,
            "SELECT pg_notify('anshou_alarm', %s)",
            (f'{{"event": 1, "alarm": 1, "site": {county.home.id}}}',),
        )
        assert (await until(stream, "alarms")).data == "an alarm"
        assert not hub.is_well
        yield

    with psycopg.connect(database.owner_url) as other:
        other.execute("LOCK TABLE care.write_probe IN ACCESS EXCLUSIVE MODE")
        run(test, database.web_url)


def test_trouble_is_told_and_then_over(database: Database) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page()
        stream = page.on(hub, beat_s=0.05)
        await until(stream, "beat")
        page.error = DatabaseUnavailableError("away")
        await until(stream, "trouble")
        page.error = None
        page.update = Update("what happened meanwhile", 3, frozenset({1}))
        assert (await until(stream, "alarms")).data == "what happened meanwhile"
        yield

    run(test, database.web_url)


def test_a_lost_connection_comes_back_and_all_pages_look_again(database: Database, owner: Connection) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page = Page()
        stream = page.on(hub, beat_s=600)
        await until(stream, "beat")
        page.update = Update("happened in the gap", 2, frozenset({1}))
        ended = owner.execute(
            "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity"
            " WHERE application_name = 'anshou-dashboard-live' AND datname = current_database()"
        ).fetchall()
        assert ended == [{"ended": True}]
        assert (await until(stream, "alarms")).data == "happened in the gap"
        yield

    run(test, database.web_url)


def test_rendering_does_not_block_the_loop(database: Database) -> None:
    async def test(hub: Hub) -> AsyncIterator[None]:
        page, release = Page(), threading.Event()

        def slow() -> Update:
            release.wait(PATIENCE_S)
            return page.update

        stream = messages(hub, Watcher(), slow, lambda: "", 600, lambda: 0)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)  # the loop turns while the thread waits
        assert not waiting.done()
        release.set()
        assert (await waiting).event == "alarms"
        yield

    run(test, database.web_url)


def test_the_web_s_role_may_listen_and_hears_no_names(
    database: Database, owner: Connection, county: County, ward: Ward
) -> None:
    with psycopg.connect(database.web_url, autocommit=True) as listener:
        listener.execute("LISTEN anshou_alarm")
        ward.alarm(owner, 0, AlarmKind.SOS)
        [notify] = list(listener.notifies(timeout=PATIENCE_S, stop_after=1))
    assert ward.residents[0].name not in notify.payload
    with connect(database.web_url) as web:
        assert web.execute("SELECT FROM care.resident").fetchall() == []
