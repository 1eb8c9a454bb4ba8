"""The page of findings: what is wrong, where to look, and what was reviewed."""

from __future__ import annotations

import pytest

from continuum import Client
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.findings import Repairable, repairable, shown_finding
from continuum.observer.visitor import Role, Visitor
from continuum.operations.health_codes import health_finding
from tests.unit.observer.served import form_token, observed

HOUR = 3_600_000_000


async def _unhealthy() -> MemoryJournal:
    """Return a journal with a finding: work for an hour, and nobody who does it."""
    now = [1_800_000_000_000_000]
    journal = MemoryJournal(lambda: now[0])
    await Client(journal).start("orders", 1)
    now[0] += HOUR
    return journal


async def test_a_finding_is_reviewed_and_silent_from_then_on() -> None:
    async with observed(Client(await _unhealthy())) as caller:
        page = (await caller.get("/health")).text
        (finding,) = (await caller.get("/api/v1/health")).json()["findings"]["value"]["now"]
        assert finding["code"] in page
        form = {"form": form_token(page), "back": "/health", "fingerprint": finding["fingerprint"]}
        answer = await caller.post("/actions/review_finding", data=form)
        assert answer.headers["location"] == "/health"
        after = await caller.get("/health")
        findings = (await caller.get("/api/v1/health")).json()["findings"]["value"]
    assert "is silent until it changes" in after.text
    assert findings["now"] == []
    assert [each["fingerprint"] for each in findings["reviewed"]] == [finding["fingerprint"]]


async def test_a_viewer_reviews_nothing() -> None:
    async with observed(Client(await _unhealthy()), Visitor("vic", Role.VIEWER)) as caller:
        page = (await caller.get("/health")).text
    assert "no-nodes" in page
    assert "review_finding" not in page


async def test_health_without_findings_says_so() -> None:
    async with observed() as caller:
        assert "All is well" in (await caller.get("/health")).text


@pytest.mark.parametrize(
    ("fix", "found"),
    [
        ("continuum repair lost-wake 1 --schema other", Repairable("lost-wake", "1")),
        ("continuum run-node shop", None),
        ("UPDATE x SET y = 'it''s;", None),
    ],
)
def test_a_repair_is_known_by_its_command(fix: str, found: Repairable | None) -> None:
    assert repairable(fix) == found


def test_a_finding_leads_to_the_runs_that_it_is_about() -> None:
    shown = shown_finding(health_finding("blocked", "shop order", "3 runs are blocked"))
    assert shown.search == 'state:blocked workflow:"shop order"'
    shown = shown_finding(health_finding("node-lost", "node/a", "node is lost"))
    assert shown.path == "/nodes/node%2Fa"
