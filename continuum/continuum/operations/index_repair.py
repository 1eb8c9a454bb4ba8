"""`plan_index` says what the repair of an index would do, and decides on it again when it is done.

Only indexes that the SQL of this package makes are repaired, by its own text, and what an interrupted
rebuild of one of them has left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from continuum.errors import InvalidOption, NotRepairable
from continuum.journal.audit_facts import ChangeOutcome
from continuum.journal.index_mends import IndexDecision, IndexFacts, IndexStep
from continuum.operations.repair_commands import BAD_BUILDS, left_behind
from continuum.quoting import quoted
from continuum_migrations import ExpectedIndex

INDEX_CODES = frozenset({"index-invalid", "index-missing"})


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What the repair of an index was to do when somebody looked.

    `name` is the index; it is another one than `expected` if a rebuild of that has left it behind. Without
    `steps` nothing is damaged.
    """

    code: str
    name: str
    expected: ExpectedIndex
    seen: IndexFacts
    steps: Sequence[IndexStep]

    def decide(self, facts: IndexFacts) -> IndexDecision:
        """Return what to do by what is stored now: the planned steps, if all is as it was seen."""
        steps = _steps(self.code, self.name, self.expected, facts)
        if not steps:
            return IndexDecision(ChangeOutcome.ALREADY)
        if (facts.oid, tuple(steps)) != (self.seen.oid, tuple(self.steps)):
            return IndexDecision(ChangeOutcome.STALE)
        return IndexDecision(ChangeOutcome.DONE, steps)

    @property
    def finding(self) -> str:
        """What is wrong with the index, in a sentence."""
        named = f"index {self.name} of table {self.expected.table}"
        match self.steps:
            case (IndexStep.BUILD, *_):
                return f"{named} is missing"
            case (IndexStep.ATTACH, *_):
                return f"{named} is there, and is not the primary key of the table"
            case (IndexStep.DROP, *_):
                return f"{named} was left behind by an interrupted rebuild"
            case _:
                return f"{named} is invalid: its build was interrupted"


def expected_index(code: str, name: str, indexes: Mapping[str, ExpectedIndex]) -> ExpectedIndex:
    """Return the index that a repair of this code is about; `InvalidOption` if the schema has none such."""
    of = left_behind(name) if code == "index-invalid" else None
    found = indexes.get(name) or indexes.get(of or "")
    if found is None:
        near = get_close_matches(name, indexes, 1)
        did = f"did you mean {near[0]}?" if near else "`continuum doctor` names those that it is about"
        raise InvalidOption(f"{quoted(name)} is no index of this release's schema; {did}")
    return found


def plan_index(code: str, name: str, expected: ExpectedIndex, facts: IndexFacts) -> IndexPlan:
    """Return what a repair would do by these facts; `NotRepairable` if it cannot be done like this."""
    steps = _steps(code, name, expected, facts)
    if facts.owner is None:
        lost = f"table {expected.table} does not exist; restore it from a backup"
        raise NotRepairable(code, name, lost)
    if steps and not facts.permitted:
        raise NotRepairable(
            code,
            name,
            f"role {facts.role} does not own table {expected.table}; repair it as {facts.owner}",
        )
    if steps and facts.server_version in BAD_BUILDS:
        minor = f"14.{facts.server_version % 10_000}"
        raise NotRepairable(
            code, name, f"Postgres {minor} damages indexes that are built while others write; update it first"
        )
    return IndexPlan(code, name, expected, facts, steps)


def _steps(code: str, name: str, expected: ExpectedIndex, facts: IndexFacts) -> tuple[IndexStep, ...]:
    attach = (IndexStep.ATTACH,) if expected.primary and not facts.primary else ()
    if code == "index-missing":
        if facts.oid is None:
            return (IndexStep.BUILD, *attach)
        return attach if facts.usable else ()
    if facts.oid is None or facts.usable or facts.building:
        return ()
    return (IndexStep.REBUILD, *attach) if name == expected.name else (IndexStep.DROP,)
