"""What runs take for signals, remembered for a while.

A client that knows the workflow of a run goes by its declarations. Any other asks the
journal what the version of the run has declared, once per run in `CONTRACT_SECONDS`;
before it refuses a signal it asks again, for the run may have gone on under other code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from continuum.client.limits import CONTRACT_SECONDS, CONTRACTS_KEPT
from continuum.client.run_lookup import Looking
from continuum.codec.codec import decode
from continuum.codec.signal_contracts import Check, checker
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.errors import ContinuumError, UndeclaredSignal
from continuum.journal.port import Journal

Contract = Mapping[str, Check]
"""How the values of each declared signal are checked."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked, and how long the answer counts, in the loop's time."""

    answer: asyncio.Task[Contract | None]
    until: float


class Contracts:
    """Checks signals before they are sent."""

    def __init__(self, journal: Journal, looking: Looking) -> None:
        self._journal = journal
        self._looking = looking
        self._asked: dict[RunId, _Asked] = {}

    async def check(
        self, run_id: RunId, workflow: Workflow[..., Any] | None, signal: Signal[Any] | str, data: bytes
    ) -> None:
        """Refuse a signal that the run does not take, by its name or its value."""
        name = signal.name if isinstance(signal, Signal) else signal
        here: Mapping[str, Signal[Any]] = {} if workflow is None else workflow.signals
        if name in here:
            if here[name] is not signal:
                here[name].decode(data)
            return
        if workflow is not None and not here:
            return
        asked = self._asked.get(run_id)
        if asked is not None and asked.until > asyncio.get_running_loop().time():
            contract = await asyncio.shield(asked.answer)
            if _refusal(run_id, contract, name, data, here) is None:
                return
        refusal = _refusal(run_id, await self._ask(run_id), name, data, here)
        if refusal is not None:
            raise refusal

    async def close(self) -> None:
        """Ask no more."""
        answers = [asked.answer for asked in self._asked.values() if not asked.answer.done()]
        for answer in answers:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)

    async def _ask(self, run_id: RunId) -> Contract | None:
        # Those who come while the question is under way wait for its answer, in line.
        answer = asyncio.create_task(self._contract_of(run_id))
        self._asked.pop(run_id, None)
        while len(self._asked) >= CONTRACTS_KEPT:
            del self._asked[next(iter(self._asked))]
        self._asked[run_id] = _Asked(answer, asyncio.get_running_loop().time() + CONTRACT_SECONDS)
        try:
            return await asyncio.shield(answer)
        except Exception:
            # The next who asks tries anew.
            if (asked := self._asked.get(run_id)) is not None and asked.answer is answer:
                del self._asked[run_id]
            raise

    async def _contract_of(self, run_id: RunId) -> Contract | None:
        declared = await self._looking.ask(lambda: self._journal.signals_of(run_id))
        return None if declared is None else _contract(json.dumps(declared, sort_keys=True))


# As many as there are versions of code that runs of one client may have.
@lru_cache(maxsize=256)
def _contract(text: str) -> Contract:
    return {name: checker(told) for name, told in json.loads(text).items()}


def _refusal(
    run_id: RunId, contract: Contract | None, name: str, data: bytes, here: Collection[str]
) -> ContinuumError | None:
    """Return why a signal is not sent; `here` are those that the caller's code declares."""
    if contract is None:
        return UndeclaredSignal(run_id, name, tuple(here)) if here else None
    if name not in contract:
        return UndeclaredSignal(run_id, name, tuple(contract))
    try:
        contract[name](decode(data), f"signal {name}")
    except ContinuumError as error:
        return error
    return None
