"""Why an action on many runs would leave one as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.memory.inbox import MemoryInbox
from continuum.journal.memory.tables import StoredRun
from continuum.journal.operation_reasons import Why
from continuum.journal.port import InboxKind, RunState


class MemoryReasons(MemoryInbox):
    """What `why_unchanged` says in SQL."""

    def _why_unchanged(self, action: str, arguments: Mapping[str, Any], run_id: RunId) -> Why | None:
        """Return why an action would do nothing to the latest run of a chain; None if it may do something."""
        run = self._latest(run_id)
        if run is None:
            return Why.REMOVED
        match action:
            case "attributes" | "reset" | "fork":
                return None
            case "restart":
                return None if run.state is RunState.FAILED else Why.NOT_FAILED
            case "unblock":
                return None if run.state is RunState.BLOCKED else Why.NOT_BLOCKED
            case "delete":
                return self._why_kept(run)
        if run.state.terminal:
            return Why.ENDED
        match action:
            case "cancel" if self._is_asked_to_stop(run) and self._pause_of(run) is None:
                return Why.ASKED
            case "signal" if not self._declares(run, arguments["signal"]):
                return Why.UNDECLARED
            case "pause" if run.paused is not None:
                return Why.PAUSED
            case "resume" if run.paused is None:
                return Why.NOT_PAUSED
        return None

    def _why_kept(self, run: StoredRun) -> Why | None:
        if not run.state.terminal:
            return Why.OPEN
        parent = None if run.parent is None else self._runs.get(run.parent)
        return Why.READ if parent is not None and not parent.state.terminal else None

    def _is_asked_to_stop(self, run: StoredRun) -> bool:
        rows = run.inbox.values()
        return any((row.kind, row.name, row.key) == (InboxKind.CANCEL, "cancel", "cancel") for row in rows)

    def _declares(self, run: StoredRun, signal: str) -> bool:
        code = self._code_of(run)
        return code is None or code.signals is None or signal in code.signals
