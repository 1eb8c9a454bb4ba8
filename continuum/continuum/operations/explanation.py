"""`Explanation`: why a run is where it is, who wakes it and when, and the commands that help. Data only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Fix:
    """A command that ends the state, exactly as it is typed; `when` says what must be so before.

    In the command ``VALUE`` stands for something that only you know, such as the value of a signal.
    """

    command: str
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a run is where it is.

    `code` is one of those in the runbook. It has been so since `since`. `evidence` has the facts behind
    the sentence, as plain values. `wakes_by` names who or what ends the state by itself, at `wakes_at`
    if that is known; None if nothing does. The first of the `fixes` is the one to try first. Times
    are aware and in UTC.
    """

    code: str
    sentence: str
    since: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    wakes_by: str | None = None
    wakes_at: datetime | None = None
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a run is where it is, as far as the journal knows at this moment.

    `run_id` is the latest run of the chain that was asked about. The first of the `causes` is what
    holds it now, and `sentence` says it; the others are what it waits for besides.
    """

    run_id: str
    workflow: str
    state: str
    sentence: str
    causes: tuple[Cause, ...]

    def with_commands(self, change: Callable[[str], str]) -> Explanation:
        """Return the same with the command of each fix as `change` returns it."""
        causes = []
        for cause in self.causes:
            fixes = tuple(replace(fix, command=change(fix.command)) for fix in cause.fixes)
            causes.append(replace(cause, fixes=fixes))
        return replace(self, causes=tuple(causes))
