"""What Prometheus scrapes from an observer, and who may."""

from __future__ import annotations

import sys

import pytest

from continuum.client import Client
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.visitor import Role, Visitor
from continuum.telemetry.tallies import Tally
from tests.unit.observer.served import observed

TOKENS = {"secret": Visitor("prometheus", Role.VIEWER)}


async def test_the_sums_of_all_nodes_and_what_is_there_now_are_scraped() -> None:
    journal = MemoryJournal()
    await journal.renew([], 60.0, None, counted=[Tally("run.ended", "orders", "failed", 3)])
    async with observed(Client(journal), visitor=None) as caller:
        answer = await caller.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'continuum_run_ended_total{state="failed",workflow="orders"} 3.0' in answer.text
    assert "continuum_run_oldest_due_seconds 0.0" in answer.text
    assert 'continuum_finding{code="blocked"} 0.0' in answer.text


@pytest.mark.parametrize(
    ("peer", "headers"), [("10.0.0.7", {}), ("127.0.0.1", {"x-forwarded-for": "10.0.0.7"})]
)
async def test_a_stranger_scrapes_nothing(peer: str, headers: dict[str, str]) -> None:
    async with observed(visitor=None, peer=peer) as caller:
        answer = await caller.get("/metrics", headers=headers)

    assert (answer.status_code, answer.text) == (401, "send a token: Authorization: Bearer TOKEN\n")


async def test_a_scraper_with_a_token_is_a_visitor() -> None:
    async with observed(visitor=None, peer="10.0.0.7", auth="token", tokens=TOKENS) as caller:
        refused = await caller.get("/metrics")
        answer = await caller.get("/metrics", headers={"authorization": "Bearer secret"})

    assert (refused.status_code, answer.status_code) == (401, 200)


async def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "continuum.telemetry.prometheus_text", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with observed() as caller:
        answer = await caller.get("/metrics")

    assert answer.status_code == 501
    assert answer.text.endswith("pip install 'continuum-durable[metrics]'\n")
