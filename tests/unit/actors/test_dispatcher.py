"""What the dispatcher does while there is always more to claim."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from continuum.engine.ids import RunId
from continuum_actors.host.host import Host
from continuum_actors.run.dispatcher import Dispatcher


class _Journal:
    """Has a claim whenever it is asked; the dispatcher's tokens are spent by then."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.enough = asyncio.Event()
        self.dispatcher: Any = None

    async def draw_tokens(self, count: int) -> list[int]:
        self.calls.append("draw")
        return list(range(count))

    async def claim(self, *_: object, **__: object) -> list[Any]:
        self.calls.append("claim")
        self.dispatcher._tokens.clear()
        if len(self.calls) > 6:
            self.enough.set()
        # Others have a turn, as while a server answers.
        await asyncio.sleep(0)
        return [SimpleNamespace(id=RunId("0"), fresh=True)]


class _Claims(Dispatcher):
    """Starts nothing of what it claims."""

    async def start_all(self, claims: Sequence[object]) -> None:
        """Leave them."""


async def _calls_while_claims_never_end() -> list[str]:
    journal = _Journal()

    host = SimpleNamespace(
        journal=journal,
        runs=SimpleNamespace(room=lambda: 1, live_run_ids=[]),
        code=SimpleNamespace(loaded=None),
        settings=SimpleNamespace(namespaces=None),
        registered_worker=lambda: None,
        claims=True,
        draining=False,
    )
    journal.dispatcher = dispatcher = _Claims(cast(Host, host))
    dispatcher._wanted.set()
    working = asyncio.create_task(dispatcher._work())
    await journal.enough.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return journal.calls


def test_tokens_are_drawn_between_claims_that_do_not_end() -> None:
    """A run that is announced meanwhile would otherwise wait for a claim like all others."""
    calls = asyncio.run(_calls_while_claims_never_end())
    assert calls[:6] == ["draw", "claim"] * 3
