"""The findings about runs and tasks while no node lives: those that are due, and those that will be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from continuum.journal.health_port import ExpiredOwner, HealthFacts, OpenRuns, OverdueRuns
from continuum.journal.version_facts import is_importable
from continuum.operations.findings import Finding, amount, verb
from continuum.operations.health_codes import health_finding

# Yields the command that starts a node with these modules.
Start = Callable[[Sequence[str]], Iterator[str]]


def without_nodes(facts: HealthFacts, start: Start) -> Iterator[Finding]:
    """Judge open runs while no node lives; tasks that are due and have no owner are judged by themselves."""
    owned = owned_and_due(facts)
    if facts.overdue or owned:
        yield _due(facts, owned, start)
    elif not facts.tasks:
        yield from _waiting(facts, start)


def owned_and_due(facts: HealthFacts) -> list[ExpiredOwner]:
    """Return the dead processes that still own what is due, while no node lives that would release it."""
    return [each for each in facts.expired if each.due_runs or each.due_tasks]


def _due(facts: HealthFacts, owned: Sequence[ExpiredOwner], start: Start) -> Finding:
    runs = sum(each.number for each in facts.overdue) + sum(each.due_runs for each in owned)
    tasks = sum(each.due_tasks for each in owned)
    more = any(each.more for each in facts.overdue) or any(each.more_due for each in owned)
    amounts = [amount(runs, "run", more=more)] if runs else []
    amounts += [amount(tasks, "task")] if tasks else []
    are = verb(runs + tasks, "is", "are", more=more)
    owners = ", which dead processes own" if not facts.overdue else ", of which dead processes own some"
    # What they own is open, and of all that is open the modules are known.
    known: list[OverdueRuns | OpenRuns] = [*facts.overdue, *(facts.idle if owned else ())]
    sinces = [*(each.since for each in facts.overdue), *(each.since for each in owned)]
    return health_finding(
        "no-nodes",
        "nodes",
        f"{' and '.join(amounts)} {are} due{owners if owned else ''}, and no node lives; start one",
        *start(_modules(known)),
        since=min(sinces),
        count=runs or tasks,
        more=more,
    )


def _waiting(facts: HealthFacts, start: Start) -> Iterator[Finding]:
    idle, blocked = facts.idle, facts.blocked
    # Those that are blocked need mending, and no node until then.
    count = sum(each.number for each in idle) - sum(each.number for each in blocked)
    more = any(each.more for each in idle) or any(each.more for each in blocked)
    if not idle or (count <= 0 and not more):
        return
    count = max(count, 1)
    wait = verb(count, "waits", "wait", more=more)
    due = verb(count, "it once it is", "them once they are", more=more)
    runs = amount(count, "open run", more=more)
    text = f"{runs} {wait}, and no node lives that would continue {due} due; start one"
    yield health_finding("nodes-absent", "nodes", text, *start(_modules(idle)), count=count, more=more)


def _modules(runs: Iterable[OverdueRuns | OpenRuns]) -> list[str]:
    return sorted({str(each.module) for each in runs if is_importable(each.module)})
