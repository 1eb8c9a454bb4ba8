"""Changes of one run or node that a person at a terminal sees before they happen.

A script, which has no terminal, is not asked. After the answer what was shown is compared with what there is
by then; if that differs, nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from continuum.cli.changes import acting, agreed, asks, declined
from continuum.cli.database import Target, ask
from continuum.cli.printing import escaped
from continuum.client import Client, Run
from continuum.client.namespaces import InNamespace
from continuum.definitions.attributes import checked_attributes
from continuum.errors import InvalidOption, NodeNotFound, RunChanged
from continuum.journal.facts import NodeRow
from continuum.operations.actor import Actor
from continuum.operations.findings import amount
from continuum.operations.json_text import to_json
from continuum.quoting import listed, one_line, shortened


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a run: where, by whom, and whether without a question."""

    target: Target
    run: str
    namespace: InNamespace
    actor: Actor
    yes: bool


def unblock_one(change: Change) -> None:
    """Let nodes try a blocked run again; the question says why it is blocked, and what it was asked to do."""
    run, seen = change.run, None
    if asks(yes=change.yes):
        seen, stops = ask(change.target, lambda client: _before_unblock(client, run, change.namespace))
        if seen.state == "blocked":
            why = one_line(seen.reason or "nothing that is recorded")
            what = f"Let nodes try run {seen.id} of {seen.workflow} again, blocked by {why}"
            if stops:
                what += "; it was asked to stop, and compensates then"
            if not agreed(escaped(f"{what}?")):
                declined(f"run {seen.id}: nothing changed")
    state = ask(change.target, lambda client: _unblock(client, change, seen))
    if state is not None:
        raise click.ClickException(f"run {run} is not blocked, it is {state}")
    click.echo(f"nodes will try run {run} again; `continuum runs show {run}` shows what came of it")


async def _before_unblock(client: Client, run: str, namespace: InNamespace) -> tuple[Run, bool]:
    """Return the run that an unblock is about, and whether it keeps a request to stop."""
    latest = await latest_of(client, run, namespace)
    if latest.state != "blocked":
        return latest, False
    explanation = await client.explain(latest.id, namespace=namespace)
    return latest, bool(explanation.causes[0].evidence.get("asked_to_stop"))


async def _unblock(client: Client, change: Change, seen: Run | None) -> str | None:
    """Unblock the run unless that differs from what was seen; return its state if it is not blocked."""
    if seen is not None:
        found = await latest_of(client, change.run, change.namespace)
        if (found.state, found.reason, found.updated_at) != (seen.state, seen.reason, seen.updated_at):
            raise RunChanged(seen.id)
    done = await acting(client, change.actor).unblock(change.run, namespace=change.namespace)
    return None if done else (await client.get_run(change.run, namespace=change.namespace)).state


def set_attributes_of_one(change: Change, values: Mapping[str, Any]) -> None:
    """Merge attributes into those of a run; the question has the old values and the new ones."""
    seen = None
    if asks(yes=change.yes):
        seen = ask(change.target, lambda client: client.get_run(change.run, namespace=change.namespace))
        different = _differences(seen.attributes, checked_attributes(values))
        question = f"Change of run {seen.id} of {seen.workflow} ({seen.state}) {different}?"
        if different and not agreed(escaped(question)):
            declined(f"run {seen.id}: nothing changed")
    ask(change.target, lambda client: _set_attributes(client, change, values, seen))


async def _set_attributes(
    client: Client, change: Change, values: Mapping[str, Any], seen: Run | None
) -> None:
    if seen is not None:
        found = await client.get_run(change.run, namespace=change.namespace)
        if any(found.attributes.get(name) != seen.attributes.get(name) for name in values):
            raise RunChanged(seen.id)
    await acting(client, change.actor).set_attributes(change.run, values, namespace=change.namespace)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return which attributes would get which value; nothing if all have it already."""
    shown = {name: shortened(to_json(old[name])) if name in old else "nothing" for name in new}
    return ", ".join(
        f"{name} from {shown[name]} to {shortened(to_json(value))}"
        for name, value in new.items()
        if name not in old or old[name] != value
    )


def drain_one(target: Target, name: str, actor: Actor, *, yes: bool) -> None:
    """Let a node drain; the question says what it works on, and which workflows no other node has."""
    seen = None
    if asks(yes=yes):
        nodes = ask(target, lambda client: client.nodes())
        seen = next((node for node in nodes if node.node == name), None)
        if seen is not None and seen.state == "up" and not agreed(escaped(_drain_question(seen, nodes))):
            declined(f"node {name}: nothing changed")
    if ask(target, lambda client: _drain(client, name, actor, seen)):
        click.echo(f"node {name} is lost: none of its processes has a lease, so there is nothing to drain")
    else:
        click.echo(f"node {name} stops taking work; `continuum nodes list` shows when it has left")


async def _drain(client: Client, name: str, actor: Actor, seen: NodeRow | None) -> bool:
    """Drain the node unless it is another of that name by now; return whether it is lost."""
    if seen is not None:
        found = next((node for node in await client.nodes() if node.node == name), None)
        if found is None:
            raise NodeNotFound(name)
        if found.pid != seen.pid:
            raise InvalidOption(
                f"node {name} has been started anew, and nothing was done; look again and decide anew"
            )
    await acting(client, actor).drain_node(name)
    return any(node.node == name and node.state == "lost" for node in await client.nodes())


def _drain_question(node: NodeRow, nodes: Sequence[NodeRow]) -> str:
    others = [other for other in nodes if other.node != node.node and other.state == "up"]
    alone = sorted(set(node.workflows) - {name for other in others for name in other.workflows})
    tasks = amount(sum(sum(worker.tasks.values()) for worker in node.workers), "task")
    left = f", and leave no node that has loaded {listed(alone)}" if alone else ""
    works = f"{amount(node.live_runs, 'run')} and {tasks}"
    return f"Let node {node.node} finish or release its {works} and stop{left}?"


async def latest_of(client: Client, run: str, namespace: InNamespace) -> Run:
    """Return the latest run of the chain that a run belongs to."""
    found = await client.get_run(run, namespace=namespace)
    while found.continued_to is not None:
        found = await client.get_run(found.continued_to, namespace=namespace)
    return found
