"""A real Prometheus scrapes a node and an observer, and evaluates the queries of dashboard and alerts."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from continuum.client import Client
from continuum.observer.options import ObserverOptions
from continuum.observer.serve import serve
from tests.process.node.nodes import DEADLINE_S, Site, site
from tests.process.node.scraping import free_port
from tests.process.node.test_statistics import LEASE_S, end_orders

DOCS = Path(__file__).parents[3] / "docs"
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: continuum
    static_configs: [{{targets: ["127.0.0.1:{node}"]}}]
  - job_name: continuum-database
    static_configs: [{{targets: ["127.0.0.1:{observer}"]}}]
"""
# Which have data once some orders have ended on a node that no one has killed.
WITH_DATA = (
    "Runs a minute",
    "Duration of runs",
    "Duration of attempts, 99 of 100",
    "Waits",
    "Commits",
    "Events in a commit",
    "Timers and replays, 99 of 100",
)


def queries_of_dashboard() -> Iterator[tuple[str, str]]:
    """Yield each query with the title of its panel; variables have the values that Grafana puts there."""
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m")
            yield panel["title"], query.replace("$job", "continuum").replace("$workflow", ".*")


def queries_of_page() -> Iterator[tuple[str, str]]:
    """Yield each query of the table of alerts with its name."""
    alerts = (DOCS / "metrics.md").read_text().partition("## Alerts")[2].partition("\n## ")[0]
    for name, query in re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", alerts, re.MULTILINE):
        yield name.strip(), query


QUERIES = [*queries_of_dashboard(), *queries_of_page()]


class Prometheus:
    """A running server."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S)

    def value(self, query: str) -> list[Any]:
        """Return the samples of a query; fail if it is an error."""
        answer = self._client.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer.get("error"))
        found: list[Any] = answer["data"]["result"]
        return found

    async def has(self, query: str) -> bool:
        """Return whether a query has a sample that is a number."""
        try:
            return any(sample["value"][1] != "NaN" for sample in self.value(query))
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@asynccontextmanager
async def prometheus(at: Site, directory: Path, node: int, observer: int) -> AsyncIterator[Prometheus]:
    """Start a Prometheus that scrapes a node and an observer each second."""
    program = shutil.which("prometheus")
    assert program is not None
    config = directory / "prometheus.yml"
    config.write_text(CONFIG.format(node=node, observer=observer))
    port = free_port()
    storage = f"--storage.tsdb.path={directory / 'data'}"
    listens = f"--web.listen-address=127.0.0.1:{port}"
    with (directory / "log").open("w") as log:
        command = [f"--config.file={config}", storage, listens]
        server = await asyncio.create_subprocess_exec(program, *command, stdout=log, stderr=log)
    client = Prometheus(port)
    try:
        await at.until(lambda: client.has("sum(up) == 2"), "it does not scrape both", every=0.1)
        yield client
    finally:
        client.close()
        server.terminate()
        await server.wait()


@asynccontextmanager
async def observer_on(client: Client, port: int) -> AsyncIterator[None]:
    """Serve an observer."""
    stopping = asyncio.Event()
    serving = asyncio.create_task(
        serve(
            client,
            "127.0.0.1",
            port,
            ObserverOptions(),
            starter="ada",
            told=lambda link: None,
            stopping=stopping,
        )
    )
    try:
        yield
    finally:
        stopping.set()
        await serving


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
async def test_every_query_is_one_and_the_important_ones_have_data(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    node_port, observer_port = free_port(), free_port()
    async with site(dsn, schema) as at:
        at.node("north", lease_ttl=LEASE_S, http=("127.0.0.1", node_port))
        async with (
            observer_on(at.client, observer_port),
            prometheus(at, tmp_path, node_port, observer_port) as server,
        ):
            # A rate needs two scrapes of a series: the first orders make it, the others raise it.
            await end_orders(at, 3)
            ended = 'continuum_run_ended_total{job="continuum-database"}'
            await at.until(lambda: server.has(ended), "the database's sums are not scraped", every=0.2)
            await end_orders(at, 3)
            for title, query in QUERIES:
                if title in WITH_DATA and "queue" not in query and "replay" not in query:
                    await at.until(lambda query=query: server.has(query), f"{title}: {query}", every=0.2)  # type: ignore[misc]
            errors = {}
            for title, query in QUERIES:
                try:
                    server.value(query)
                except AssertionError as error:
                    errors[title] = error
            assert errors == {}
            for gauge in ("continuum_run_oldest_due_seconds", "continuum_finding"):
                assert await server.has(gauge), gauge
            completed = 'continuum_run_ended_total{job="continuum-database", state="completed"}'
            await at.until(lambda: server.has(f"{completed} == 6"), "not all orders are counted", every=0.2)


def test_the_dashboard_and_the_page_have_queries() -> None:
    assert len(list(queries_of_dashboard())) > 15
    assert len(list(queries_of_page())) >= 10
    assert {title for title, _ in QUERIES} >= set(WITH_DATA)
