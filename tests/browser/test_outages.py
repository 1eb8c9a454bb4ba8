"""Pages that stay open while what they show is stopped, killed and back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from continuum import connect
from continuum.journal.postgres.schema import migrate_schema
from continuum.local_postgres import EmbeddedPostgres
from continuum.observer.options import ObserverOptions
from tests.browser.chromium import Browser
from tests.browser.conftest import DEADLINE_S, Served, signed_in
from tests.postgres.holding import server_directory

SCHEMA = "continuum"


@contextmanager
def served(dsn: str, window: Browser) -> Iterator[Browser]:
    """Serve an observer, and yield a browser that has signed in."""
    server = Served(dsn, SCHEMA, ObserverOptions())
    server.start()
    try:
        yield signed_in(window, server)
    finally:
        # A page that stays open would ask again and again.
        window.driver.get("about:blank")
        server.stop()


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server of its own, with an empty schema."""
    with server_directory() as directory, EmbeddedPostgres(directory, durable=False) as postgres:
        asyncio.run(migrate_schema(postgres.dsn, SCHEMA))
        yield postgres


async def _start(dsn: str) -> str:
    async with connect(dsn, schema=SCHEMA) as client:
        return (await client.start("shop.order", "order")).id


def test_a_page_stays_while_postgres_is_stopped_and_continues_once_it_is_back(
    server: EmbeddedPostgres, window: Browser
) -> None:
    before = asyncio.run(_start(server.dsn))
    with served(server.dsn, window) as browser:
        browser.open("/runs")
        browser.driver.execute_script("window.stays = true")
        browser.find(f'a[href="/runs/{before}"]')

        server.stop()
        browser.until(lambda b: "The database does not answer" in b.find("#notice").text)
        assert browser.find(f'a[href="/runs/{before}"]')

        server.start()
        after = asyncio.run(_start(server.dsn))
        browser.find(f'a[href="/runs/{after}"]')
        browser.until(lambda b: not b.find("#notice").text)
        assert browser.driver.execute_script("return window.stays"), "the page was loaded again"


def test_a_page_tells_that_its_node_was_killed(server: EmbeddedPostgres, window: Browser) -> None:
    command = [sys.executable, "-m", "continuum.cli", "run-node", "tests.browser.shop"]
    options = ["--dsn", server.dsn, "--schema", SCHEMA, "--name", "short-lived"]
    node = subprocess.Popen([*command, *options], start_new_session=True)
    try:
        with served(server.dsn, window) as browser:
            browser.open("/nodes")
            browser.find('a[href="/nodes/short-lived"]')
            browser.open("/nodes/short-lived")
            browser.find("#live_tree .tree")
            os.killpg(node.pid, signal.SIGKILL)
            node.wait(DEADLINE_S)
            browser.until(
                lambda b: (
                    "does not answer" in b.find("#live_node").text
                    or "is lost" in b.find("#live_node").text
                    or "no node" in b.find("#notice").text
                )
            )
    finally:
        if node.poll() is None:
            os.killpg(node.pid, signal.SIGKILL)
            node.wait(DEADLINE_S)
