"""Fixtures that every room's tests may use: a real database, a real broker, a real browser."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
import shutil
from asyncio.events import _set_running_loop
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from database.connections import Connection, connect
from tests import layers, servers
from tests.machine import Machine, machine_of_its_own

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=40)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile("suite")

DESK_SIZE = {"width": 1440, "height": 900}
PHONE_SIZE = {"width": 390, "height": 844}
# Chromium looks up its maker's hosts at every start unless it is told to keep to itself.
CHROMIUM_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    layers.mark_and_sort(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with layers.held_to_layer(item):
        return (yield)


@pytest.fixture(scope="session")
def database_server() -> Iterator[servers.DatabaseServer]:
    """The cluster of this test run."""
    with servers.database_server_running() as server:
        yield server


@pytest.fixture
def population() -> servers.Population[Any] | None:
    """What is in the test's database from the beginning: nothing, unless a folder's conftest says more."""
    return None


@pytest.fixture
def database(
    database_server: servers.DatabaseServer, population: servers.Population[Any] | None
) -> Iterator[servers.Database]:
    """A migrated database of the test's own, with its population in it."""
    with database_server.clone(population) as database:
        yield database


@pytest.fixture
def owner(database: servers.Database) -> Iterator[Connection]:
    """As the owner of everything, each statement its own transaction."""
    with connect(database.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_database(database_server: servers.DatabaseServer) -> Iterator[str]:
    """The owner's address of a database that no migration has touched."""
    with database_server.empty() as url:
        yield url


@pytest.fixture(scope="session")
def running_broker(database_server: servers.DatabaseServer) -> Iterator[servers.Broker]:
    """The broker of this test run, started with a database that has no devices."""
    with (
        database_server.clone() as database,
        servers.broker_running(database.owner_url) as broker,
    ):
        yield broker


@pytest.fixture
def broker(running_broker: servers.Broker) -> servers.Broker:
    """The broker, with a site prefix that is the test's own."""
    return dataclasses.replace(running_broker, site=f"t{secrets.token_hex(4)}")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """The whole product's command line on a data folder of its own; nothing runs yet."""
    with machine_of_its_own() as machine:
        yield machine


@pytest.fixture(scope="session")
def running_browser() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """Debian's Chromium, headless, and the event loop of the Playwright that drives it.

    Playwright's loop stays the running one of its thread from start to stop, although it turns only within
    Playwright's own calls. Between the tests that use it nobody shall see it: asyncio.run would refuse.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "Chromium is missing; as root: apt-get install chromium fonts-noto-cjk"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    flags = [*CHROMIUM_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=flags)
        loop = asyncio.get_running_loop()
        _set_running_loop(None)
        yield browser, loop
        _set_running_loop(loop)
        browser.close()


@pytest.fixture
def browser(running_browser: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The browser, with nothing in it from an earlier test."""
    browser, loop = running_browser
    _set_running_loop(loop)
    try:
        yield browser
        for context in browser.contexts:
            context.close()
    finally:
        _set_running_loop(None)


@pytest.fixture
def new_context(browser: Browser) -> Callable[..., BrowserContext]:
    """Makes a browser with its own cookies, as a Chinese caregiver has it: for a second person."""

    def new_context(**options: object) -> BrowserContext:
        defaults: dict[str, object] = {
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            "viewport": DESK_SIZE,
        }
        return browser.new_context(**{**defaults, **options})  # type: ignore[arg-type]

    return new_context


@pytest.fixture
def browser_page(new_context: Callable[..., BrowserContext]) -> Page:
    """A page of a desk's size."""
    return new_context().new_page()


@pytest.fixture
def phone_page(new_context: Callable[..., BrowserContext]) -> Page:
    """A page of a phone's size."""
    return new_context(viewport=PHONE_SIZE, is_mobile=True, has_touch=True).new_page()
