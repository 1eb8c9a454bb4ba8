"""What `continuum pause` and `resume` say of a name that may be misspelt."""

from __future__ import annotations

from collections.abc import Iterable

from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.pause_port import HeldByPause
from continuum.journal.port import Journal
from continuum.quoting import nearest, quoted


async def unknown_name(journal: Journal, scope: PauseScope, held: HeldByPause) -> str | None:
    """Return that nobody knows what is to be paused, with the nearest name; None if somebody does."""
    if scope.kind is PauseKind.NAMESPACE or held.runs or held.tasks:
        return None
    nodes = await journal.nodes()
    if scope.kind is PauseKind.WORKFLOW:
        known = {name for node in nodes for name in node.workflows}
        known |= {row.workflow for row in await journal.versions(counted=1)}
        what = f"no node has ever loaded a workflow named {quoted(scope.name)}, and no run of it is open"
    else:
        codes = [(node.state, node.code) for node in nodes if node.code is not None]
        known = {name for _, code in codes for name, _ in code.queues}
        what = f"no node has a limit for queue {quoted(scope.name)}, and nothing waits in it"
        if any(state != "lost" and code.limit_of(scope.name) for state, code in codes):
            # A node serves queues that it does not name, too.
            what += "; if the name is right, its next activities wait"
    return None if scope.name in known else f"{what}{nearest(scope.name, known)}"


def not_paused(scope: PauseScope, paused: Iterable[PauseScope]) -> str:
    """Return that it was not paused, with the nearest name that is."""
    same = {each.name for each in paused if each.kind is scope.kind and each.name != scope.name}
    return f"was not paused{nearest(scope.name, same)}"
