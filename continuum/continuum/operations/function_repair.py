"""`plan_function` says what the repair of a missing function would do, and decides again when it is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from continuum.errors import InvalidOption
from continuum.journal.audit_facts import ChangeOutcome
from continuum.quoting import quoted

FUNCTION_CODE = "function-missing"


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """Which functions were missing when somebody looked, by name with their files."""

    name: str
    missing: Mapping[str, str]

    @property
    def is_damaged(self) -> bool:
        """Whether the function that the repair is about was missing."""
        return self.name in self.missing

    def decide(self, missing: Mapping[str, str]) -> ChangeOutcome:
        """Return what to do by the functions that are missing now."""
        if self.name not in missing:
            return ChangeOutcome.ALREADY
        return ChangeOutcome.DONE if missing == self.missing else ChangeOutcome.STALE


def plan_function(name: str, expected: Collection[str], missing: Mapping[str, str]) -> FunctionPlan:
    """Return what a repair would do; `InvalidOption` if this release has no such function."""
    if name not in expected:
        near = get_close_matches(name, expected, 1)
        did = f"did you mean {near[0]}?" if near else "`continuum doctor` names those that are missing"
        raise InvalidOption(f"{quoted(name)} is no function of this release's schema; {did}")
    return FunctionPlan(name, missing)
