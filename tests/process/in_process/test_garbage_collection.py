"""The collector belongs to the application: nodes tune it if they are asked to, and leave it as it was."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

import continuum
from continuum.node.in_process import InstanceOptions
from continuum_actors.node.garbage_collection import THRESHOLDS
from continuum_supervision import Supervisor
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S

OWN = (800, 11, 12)


@pytest.fixture(autouse=True)
def _own_thresholds() -> Iterator[None]:
    """The collector as an application has set it; nothing is frozen."""
    before = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(*OWN)
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def node(name: str, *, tuned: bool) -> Supervisor:
    """Return a supervisor of a node in memory."""
    options: InstanceOptions = {
        "name": name,
        "workflows": [flows.mother],
        "journal": "memory",
        "tune_garbage_collector": tuned,
    }
    return Supervisor(continuum.children(**options))


async def until_it_runs(name: str) -> None:
    """Return once a node executes runs."""
    async with asyncio.timeout(DEADLINE_S), continuum.connect(name=name) as client:
        run = await client.start(flows.mother, 1)
        assert await run.result() == 2


async def test_a_node_tunes_the_collector_for_as_long_as_it_runs() -> None:
    async with node("shop", tuned=True):
        await until_it_runs("shop")
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (OWN, 0)


async def test_a_node_leaves_the_collector_alone_unless_it_is_asked() -> None:
    async with node("shop", tuned=False):
        await until_it_runs("shop")
        assert (gc.get_threshold(), gc.get_freeze_count()) == (OWN, 0)


async def test_the_last_of_several_nodes_restores_the_collector() -> None:
    async with node("shop", tuned=True):
        await until_it_runs("shop")
        async with node("bank", tuned=True):
            await until_it_runs("bank")
        assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == OWN


async def test_the_settings_of_the_application_itself_stay() -> None:
    gc.freeze()
    async with node("shop", tuned=True):
        await until_it_runs("shop")
        gc.set_threshold(9_000, 3, 4)
    assert gc.get_threshold() == (9_000, 3, 4)
    assert gc.get_freeze_count() > 0
