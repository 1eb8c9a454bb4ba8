"""HTTP of a node: whether it is well, whether it takes work, and what it has counted since it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, Node, Site, site
from tests.process.node.scraping import Scraper, free_port
from tests.process.node.test_statistics import LEASE_S, end_orders

ENDED = 'continuum_run_ended_total{state="completed",workflow="nodes.order"}'


def serving(at: Site) -> tuple[Node, Scraper]:
    """Start a node that answers over HTTP; return it with what asks it."""
    port = free_port()
    node = at.node("north", lease_ttl=LEASE_S, http=("127.0.0.1", port))
    scraper = Scraper(f"127.0.0.1:{port}")
    at.exits.callback(scraper.close)
    return node, scraper


async def until_scraped(at: Site, scraper: Scraper, sample: str, number: int) -> dict[str, float]:
    """Return a scrape in which a sample has reached this number."""

    async def has_reached() -> bool:
        return scraper.samples().get(sample, 0) >= number

    await at.until(has_reached, f"{sample} does not reach {number}", every=0.05)
    return scraper.samples()


async def test_sums_of_a_node_outlive_its_hosts_and_its_control_process(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node, scraper = serving(at)
        await at.until(lambda: scraper.answers("/readyz", 200), "it is not ready")
        assert scraper.get("/healthz") == (200, "ok\n")
        await end_orders(at, 3)
        before = await until_scraped(at, scraper, ENDED, 3)
        for role in ("run_host", "control"):
            victim = await (at.control_pid("north") if role == "control" else at.pid("north", role))
            os.kill(victim, signal.SIGKILL)
            restarted = f'continuum_process_restarts_total{{role="{role}"}}'
            after = await until_scraped(at, scraper, restarted, 1)
            assert {name for name in before if after[name] < before[name]} == set()
            before = after
        await end_orders(at, 2)
        await until_scraped(at, scraper, ENDED, 5)
        assert node.terminate() == 0
        with pytest.raises(httpx.ConnectError):
            scraper.get("/healthz")


async def test_a_node_that_drains_is_well_and_takes_no_work(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        node, scraper = serving(at)
        await at.client.start(flows.brewing, str(tmp_path), 1)

        async def has_begun() -> bool:
            return bool(flows.starts(tmp_path))

        await at.until(has_begun, "the activity does not begin")

        node.launcher.send_signal(signal.SIGTERM)

        await at.until(lambda: scraper.answers("/readyz", 503), "it still takes work")
        reason = "the node drains: it ends what it runs and takes nothing new\n"
        assert scraper.get("/readyz") == (503, reason)
        assert scraper.get("/healthz") == (200, "ok\n")
        (tmp_path / "brewed").touch()
        assert node.launcher.wait(DEADLINE_S) == 0


async def test_a_node_says_where_it_answers(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.launch("north", http=("127.0.0.1", 0))
        assert node.launcher.stdout is not None
        line = node.launcher.stdout.readline()
        assert line.startswith("ready node=north hosts=")
        scraper = Scraper(line.strip().rpartition(" http=")[2])
        assert scraper.get("/metrics")[0] == 200
        scraper.close()
        assert node.terminate() == 0


def test_a_port_that_is_taken_is_one_line_before_anything_starts(dsn: str, schema: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = ["run-node", "--http", str(port), "--dsn", dsn, "--schema", schema, flows.__name__]
        done = subprocess.run(
            [sys.executable, "-m", "continuum.cli", *node],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert f"cannot listen for HTTP at 127.0.0.1:{port}: Address already in use" in line
