"""What `continuum start` says of a workflow's name: refused, misspelt, or waiting for a node."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.cli.database import Target, ask_journal
from continuum.client.runs import Run
from continuum.errors import UnknownWorkflow
from continuum.journal.facts import NodeRow
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.operations.pause_words import paused_words, scope_options, scope_words
from continuum.quoting import listed, nearest, one_line, quoted

# A node in one of these states takes no new run.
_TAKES_NOTHING = ("lost", "draining")


def check_name(workflow: str, nodes: Sequence[NodeRow]) -> None:
    """Refuse a name that no running node has loaded; while none has loaded any, it cannot be checked."""
    loaded = {name for node in nodes if node.state != "lost" for name in node.workflows}
    if loaded and workflow not in loaded:
        raise UnknownWorkflow(
            f"no running node has loaded a workflow named {quoted(workflow)}{nearest(workflow, loaded)}; "
            f"they have {listed(sorted(loaded))}"
        )


def missing_node(target: Target, workflow: str, namespace: str, nodes: Sequence[NodeRow]) -> str | None:
    """Return which node a new run waits for, because none takes it now; None if one does.

    It reads the recorded versions only then: a name that no node has ever loaded may be misspelt.
    """
    able = [node for node in nodes if node.state not in _TAKES_NOTHING]
    having = [node for node in able if workflow in node.workflows]
    if any(node.namespaces is None or namespace in node.namespaces for node in having):
        return None
    if having:
        return f"waits for a node that serves namespace {quoted(namespace)}: those that run serve others"
    missing = "no node is running" if not able else "no running node takes it"
    recorded = {row.workflow for row in ask_journal(target, lambda journal: journal.versions(counted=1))}
    if workflow in recorded:
        return f"waits for a node that has loaded {workflow}: {missing}"
    return (
        f"waits for a node that has loaded {quoted(workflow)}: {missing}, and none has ever loaded that name"
        f"{nearest(workflow, recorded)}"
    )


def pause_of_new(run: Run) -> str | None:
    """Return that a new run waits because what it belongs to is paused, and the command that ends that."""
    pause = run.pause
    if pause is None or pause.kind == "run":
        return None
    scope = PauseScope(PauseKind(pause.kind), pause.name, pause.namespace or "")
    words = paused_words(pause.since, pause.by, None if pause.reason is None else one_line(pause.reason))
    return f"waits: {scope_words(scope)} is {words}; `continuum resume {scope_options(scope)}` ends that"
