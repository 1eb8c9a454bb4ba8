"""Checks that a run declares a signal, and that the value matches, before the signal is sent.

If the caller gives the workflow of a run, its declarations count. Otherwise the client reads
from the journal which signals the version of the run declares, at most once per run in
`CONTRACT_SECONDS`. Before it refuses a signal it reads them again, because the run may have
continued under other code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from continuum.client.limits import CONTRACT_SECONDS, CONTRACTS_KEPT
from continuum.client.run_lookup import RunLookup
from continuum.codec.codec import decode
from continuum.codec.signal_contracts import Check, checker
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.errors import ContinuumError, UndeclaredSignal
from continuum.journal.port import Versions

Contract = Mapping[str, Check]
"""The check of each declared signal's values; no other signal is accepted."""


@dataclass(frozen=True, slots=True)
class _CachedContract:
    """The read of a contract, and how long its result is valid, in the loop's time."""

    reading: asyncio.Task[Contract | None]
    valid_until: float


class SignalChecks:
    """Checks signals before they are sent, and caches the contracts of runs."""

    def __init__(self, journal: Versions, lookup: RunLookup) -> None:
        self._journal = journal
        self._lookup = lookup
        self._cached: dict[RunId, _CachedContract] = {}

    async def check(
        self, run_id: RunId, workflow: Workflow[..., Any] | None, signal: Signal[Any] | str, data: bytes
    ) -> None:
        """Refuse a signal that the run does not declare, or whose value does not match."""
        name = signal.name if isinstance(signal, Signal) else signal
        given: Mapping[str, Signal[Any]] = {} if workflow is None else workflow.signals
        if name in given:
            if given[name] is not signal:
                given[name].decode(data)
            return
        if workflow is not None and not given:
            return
        cached = self._cached.get(run_id)
        if cached is not None and cached.valid_until > asyncio.get_running_loop().time():
            contract = await asyncio.shield(cached.reading)
            if _refusal(run_id, contract, name, data, given) is None:
                return
        refusal = _refusal(run_id, await self._read(run_id), name, data, given)
        if refusal is not None:
            raise refusal

    async def close(self) -> None:
        """Cancel the reads that are under way."""
        pending = [cached.reading for cached in self._cached.values() if not cached.reading.done()]
        for reading in pending:
            reading.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _read(self, run_id: RunId) -> Contract | None:
        # Later signals for the same run share this read, and stay in order behind it.
        reading = asyncio.create_task(self._contract_of(run_id))
        self._cached.pop(run_id, None)
        while len(self._cached) >= CONTRACTS_KEPT:
            del self._cached[next(iter(self._cached))]
        valid_until = asyncio.get_running_loop().time() + CONTRACT_SECONDS
        self._cached[run_id] = _CachedContract(reading, valid_until)
        try:
            return await asyncio.shield(reading)
        except Exception:
            # The next signal reads again.
            if (cached := self._cached.get(run_id)) is not None and cached.reading is reading:
                del self._cached[run_id]
            raise

    async def _contract_of(self, run_id: RunId) -> Contract | None:
        declared = await self._lookup.read(lambda: self._journal.declared_signals(run_id))
        return None if declared is None else _contract(json.dumps(declared, sort_keys=True))


# Enough for the versions of code that the runs of one client have.
@lru_cache(maxsize=256)
def _contract(text: str) -> Contract:
    return {name: checker(declared) for name, declared in json.loads(text).items()}


def _refusal(
    run_id: RunId, contract: Contract | None, name: str, data: bytes, given: Collection[str]
) -> ContinuumError | None:
    """Return why a signal is not sent; `given` are the signals that the caller's workflow declares."""
    if contract is None:
        return UndeclaredSignal(run_id, name, tuple(given)) if given else None
    if name not in contract:
        return UndeclaredSignal(run_id, name, tuple(contract))
    try:
        contract[name](decode(data), f"signal {name}")
    except ContinuumError as error:
        return error
    return None
