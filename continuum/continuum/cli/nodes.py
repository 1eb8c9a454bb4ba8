"""`continuum nodes list`, `continuum nodes show` and `continuum nodes drain`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from continuum.cli.changes import changing_options, yes_option
from continuum.cli.completed_words import node_names
from continuum.cli.database import Target, ask_journal, database_options, json_option
from continuum.cli.empty_answers import say_nothing
from continuum.cli.node_trees import stack_lines, tree_lines
from continuum.cli.printing import print_table, say
from continuum.cli.single_changes import drain_one
from continuum.errors import NodeNotFound
from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.facts import NodeRow
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.json_text import to_json
from continuum.operations.node_watch import WatchedNode, ask_node
from continuum.operations.stored_records import as_json as record_as_json


@click.group(no_args_is_help=False)
def nodes() -> None:
    """List, show and drain nodes."""


@nodes.command(name="list")
@json_option
@database_options
def list_nodes(as_json: bool, dsn: str | None, schema: str) -> None:
    """List every node that has not stopped for good."""
    target = Target(dsn, schema)
    found, room = ask_journal(target, _nodes_and_room)
    if room is not None and room.warning is not None:
        click.echo(room.warning, err=True)
    if as_json:
        click.echo(to_json([_facts(node) for node in found]))
        return
    rows = [
        (
            node.node,
            str(node.pid),
            node.address,
            node.state,
            str(node.live_runs),
            f"{node.lease_age:.1f}",
            str(len(node.processes)),
            "all" if node.namespaces is None else ", ".join(node.namespaces),
        )
        for node in found
    ]
    print_table(
        ("node", "pid", "address", "state", "live_runs", "lease_age", "processes", "namespaces"), rows
    )
    if not found:
        say_nothing(target, "node", "`continuum run-node MODULE` runs one")


@nodes.command(short_help="Show the node NAME and its processes.")
@click.argument("name", shell_complete=node_names)
@click.option("--tree", is_flag=True, help="Ask it for its actors as they are now, and wait up to 7 s.")
@click.option("--stacks", is_flag=True, help="Ask it where its threads and tasks are, too.")
@json_option
@database_options
def show(name: str, tree: bool, stacks: bool, as_json: bool, dsn: str | None, schema: str) -> None:
    """Show the node NAME, its processes, and the runs and tasks that each of them owns.

    With --tree it is asked for the actors of each process: what they do, how many messages wait for each, how
    often it was restarted and why. With --stacks it is asked for the file, line and function that each thread
    and task is in, also in a process that is stuck. A node on any machine answers, through the database.
    """

    async def finding(journal: Journal) -> tuple[NodeRow, WatchedNode | None]:
        node = await _node(journal, name)
        if not (tree or stacks):
            return node, None
        watched = await ask_node(journal, name, stacks=stacks)
        return await _node(journal, name), watched or WatchedNode(name)

    node, watched = ask_journal(Target(dsn, schema), finding)
    if as_json:
        click.echo(to_json(_facts(node) | ({} if watched is None else _watched(watched))))
    else:
        _show(node)
        if watched is not None and watched.report is not None:
            say("\n".join(tree_lines(watched.report) if tree else ()))
            say("\n".join(stack_lines(watched.stacks or ()) if stacks else ()))
    if watched is not None and watched.report is None:
        say(_why_none(node, watched), err=True)
        raise SystemExit(1)


async def _node(journal: Journal, name: str) -> NodeRow:
    node = next((node for node in await journal.nodes() if node.node == name), None)
    if node is None:
        raise NodeNotFound(name)
    return node


def _why_none(node: NodeRow, watched: WatchedNode) -> str:
    if watched.unreadable:
        release = "another release" if node.code is None else f"release {node.code.release}"
        return f"node {node.node} reports what this release cannot read: ask with {release}, which it runs"
    return (
        f"node {node.node} does not answer: it was heard from {node.lease_age:.1f} s ago; "
        "if it has died, others take over its runs when its lease has run out"
    )


def _watched(watched: WatchedNode) -> dict[str, Any]:
    return {
        "report": None if watched.report is None else record_as_json(watched.report),
        "report_age": watched.age,
        "stacks": None if watched.stacks is None else record_as_json(watched.stacks),
    }


def _show(node: NodeRow) -> None:
    served = "all" if node.namespaces is None else ", ".join(node.namespaces)
    say(f"node        {node.node}")
    click.echo(f"state       {node.state}, heard from {node.lease_age:.1f} s ago")
    click.echo(f"address     {node.address}")
    say(f"namespaces  {served}")
    say(f"workflows   {', '.join(node.workflows) or 'none'}")
    click.echo("")
    columns = ("process", "pid", "runs", "tasks", "waiting for a thread")
    print_table(columns, [_process(node, *each) for each in node.processes])


@nodes.command(short_help="Let the node NAME drain and stop.")
@click.argument("name", shell_complete=node_names)
@yes_option
@changing_options
@database_options
def drain(name: str, yes: bool, actor: Actor, dsn: str | None, schema: str) -> None:
    """Let the node NAME drain and stop: it finishes or releases what it runs, then exits.

    At a terminal it says what the node works on, and asks. Do not wait for the end: `continuum nodes list`
    shows whether it has left.
    """
    drain_one(Target(dsn, schema), name, actor, yes=yes)


async def _nodes_and_room(journal: Journal) -> tuple[list[NodeRow], ConnectionRoom | None]:
    return await journal.nodes(), await journal.connection_room()


def _process(node: NodeRow, role: str, pid: int) -> tuple[str, ...]:
    own = [worker for worker in node.workers if worker.pid == pid]
    if not own:
        return role, str(pid), "-", "-", "-"
    tasks: Counter[str] = Counter()
    for worker in own:
        tasks.update(worker.tasks)
    queues = ", ".join(f"{queue or '(no queue)'} {number}" for queue, number in sorted(tasks.items()))
    runs = sum(worker.runs for worker in own)
    return role, str(pid), str(runs), queues or "0", str(node.waiting.get(pid, 0))


def _facts(node: NodeRow) -> dict[str, Any]:
    return {
        "node": node.node,
        "pid": node.pid,
        "address": node.address,
        "state": node.state,
        "live_runs": node.live_runs,
        "lease_age": node.lease_age,
        "processes": [
            {"role": role, "pid": pid, "waiting_for_a_thread": node.waiting.get(pid, 0)}
            for role, pid in node.processes
        ],
        "workflows": node.workflows,
        "namespaces": node.namespaces,
        "workers": [
            {"role": worker.role, "pid": worker.pid, "runs": worker.runs, "tasks": worker.tasks}
            for worker in node.workers
        ],
    }
