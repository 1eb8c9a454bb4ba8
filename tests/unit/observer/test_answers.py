"""What is answered where something is wrong."""

from __future__ import annotations

import httpx
import pytest

from continuum.client import Client
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.observer.served import observed

UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        (f"/runs/{UNKNOWN}", 404, "no run has the id"),
        ("/nowhere", 404, "There is no such page"),
        ("/runs?q=state:wrong", 200, "there is no state"),
    ],
)
async def test_a_page_says_what_is_wrong(path: str, status: int, said: str) -> None:
    async with observed() as caller:
        answer = await caller.get(path)
        assert answer.status_code == status
        assert said in answer.text
        assert "<nav" in answer.text, "the way to other pages"


async def test_a_program_gets_errors_as_json() -> None:
    async with observed() as caller:
        answer = await caller.get(f"/api/v1/runs/{UNKNOWN}")
        assert answer.status_code == 404
        assert "no run has the id" in answer.json()["error"]


async def test_a_fault_of_ours_is_a_page_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(self: object, run_id: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(MemoryJournal, "get_run", failing)
    async with observed(Client(MemoryJournal())) as caller:
        caller._transport = httpx.ASGITransport(
            app=caller._transport.app,  # type: ignore[attr-defined]
            raise_app_exceptions=False,
        )
        answer = await caller.get(f"/runs/{UNKNOWN}")
        assert answer.status_code == 500
        assert "its log says which" in answer.text
        assert "ZeroDivisionError" not in answer.text


async def test_a_probe_needs_no_session() -> None:
    async with observed(visitor=None) as caller:
        answer = await caller.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
