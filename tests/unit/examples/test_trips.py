"""The second example of the README does what it says."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import continuum
from continuum.testing import Environment, crash_everywhere

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "trips.py"


@pytest.fixture(scope="module")
def trips() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("trips", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["trips"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["trips"]


async def test_an_agency_books_until_nobody_wants_more(continuum_env: Environment, trips: ModuleType) -> None:
    run = await continuum_env.start(trips.agency, ["Rome", "Atlantis"])
    await continuum_env.settle()
    assert await run.read("booked") == 1
    await run.signal(trips.more, ["Oslo"])
    await continuum_env.advance(timedelta(hours=8))
    assert (await run.get()).continued_to is not None
    assert await run.read("booked") == 2
    assert await run.result(timeout=timedelta(days=8)) == 2


async def test_reservations_are_released_when_the_charge_fails(
    continuum_env: Environment, trips: ModuleType
) -> None:
    run = await continuum_env.start(trips.book, "Atlantis")
    with pytest.raises(continuum.RunFailed, match="no such place"):
        await run.result()
    events = await continuum_env.history(run.id)
    released = [event.payload["arguments"] for event in events if event.type == "compensation_scheduled"]
    assert sorted(released) == [["flight for Atlantis"], ["hotel for Atlantis"]]


@crash_everywhere
async def test_an_agency_survives_any_crash(env: Environment, trips: ModuleType) -> None:
    run: Any = await env.start(trips.agency, ["Rome", "Atlantis"])
    assert await run.result(timeout=timedelta(days=8)) == 1
