"""A database with runs in every state, the observer that shows it, and a browser that has signed in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import pytest

from continuum import RunFailed, connect
from continuum.node.config import NodeConfig
from continuum.node.launcher import started_node
from continuum.observer.options import ObserverOptions
from continuum.observer.serve import serve
from continuum.settings.settings import Settings
from tests.browser.chromium import Browser, chromium, missing
from tests.browser.paths import Examples
from tests.browser.shop import Order, order_flow
from tests.postgres_server import Template, copied_database

FATES = ("shipped", "declined", "waits", "sleeps", "stuck")
DEADLINE_S = 60.0
NODE = "shop-node"


@pytest.fixture(scope="session")
def shop(session_dsn: str, template: Template) -> Iterator[str]:
    """The DSN of a database whose runs have come as far as they can, with a node that is still there."""
    with copied_database(session_dsn, template) as dsn:
        config = NodeConfig(
            modules=["tests.browser.shop"],
            dsn=dsn,
            schema=template.schema,
            name=NODE,
            settings=Settings(run_hosts=1, activity_hosts=0),
        )
        with started_node(config):
            asyncio.run(_fill(dsn, template.schema))
            yield dsn


async def _fill(dsn: str, schema: str) -> None:
    """Start orders of every fate; return when those that end have ended."""
    ending = []
    async with connect(dsn, schema=schema) as client:
        for fate in FATES:
            for number in range(3):
                order = Order(f"{fate}-{number}", fate)
                run = await client.start(order_flow, order, attributes={"fate": fate})
                if fate in ("shipped", "declined"):
                    ending.append(run)
        for run in ending:
            with suppress(RunFailed):
                await run.result(timeout=DEADLINE_S)


@pytest.fixture(scope="session")
def examples(shop: str, schema_name: str) -> Examples:
    """A failed run, its workflow, its node, and a change of many runs."""

    async def looking() -> Examples:
        async with connect(shop, schema=schema_name) as client:
            failed = (await client.query(find="state:failed", limit=1)).entries[0]
            search = "workflow:shop.order state:completed"
            attributes = {"seen": True}
            shown = await client.operations.preview("attributes", search, attributes=attributes)
            operation = await client.operations.execute(
                shown.digest, "attributes", search, attributes=attributes, by="ada"
            )
            return Examples(failed.id, failed.workflow, NODE, operation.id)

    return asyncio.run(looking())


@pytest.fixture
def observe(shop: str, schema_name: str) -> Iterator[Callable[..., Served]]:
    """A function that serves an observer of the shop with these options, and returns it."""
    servers = []

    def serving(**options: Any) -> Served:
        server = Served(shop, schema_name, ObserverOptions(**options))
        servers.append(server)
        server.start()
        return server

    yield serving
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def schema_name(template: Template) -> str:
    """The schema of the shop."""
    return template.schema


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    if (program := missing()) is not None:
        pytest.skip(f"{program} is not installed: apt-get install chromium chromium-driver")
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def observer(shop: str, schema_name: str) -> Iterator[Served]:
    """An observer of the shop, as it is without options."""
    served = Served(shop, schema_name, ObserverOptions())
    served.start()
    yield served
    served.stop()


@pytest.fixture
def browser(window: Browser, observer: Served) -> Browser:
    """A browser that has signed in as admin."""
    return signed_in(window, observer)


def signed_in(window: Browser, served: Served) -> Browser:
    """Open a link that signs in; forget what earlier pages have asked for and complained about."""
    window.look()
    window.address = served.address
    if not window.has_session(served.address):
        window.driver.get(served.link)
        window.find("#live_findings")
    window.complaints()
    window.foreign_requests()
    return window


class Served:
    """An observer in a thread of its own."""

    def __init__(self, dsn: str, schema: str, options: ObserverOptions) -> None:
        self._dsn, self._schema, self._options = dsn, schema, options
        self._told: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, name="observer")
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Return once it serves."""
        self._thread.start()
        self.link = self._told.result(DEADLINE_S)
        self.address = self.link.partition("/link")[0].rstrip("/")

    def stop(self) -> None:
        """Stop it, and wait for the end."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(DEADLINE_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._told.set_exception(error)
            raise

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with connect(self._dsn, schema=self._schema) as client:
            await serve(
                client,
                "127.0.0.1",
                0,
                self._options,
                starter="tester",
                told=self._told.set_result,
                stopping=self._stopping,
            )
