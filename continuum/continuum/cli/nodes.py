"""`continuum nodes list` and `continuum nodes drain`."""

from __future__ import annotations

from typing import Any

import click

from continuum.cli.database import Target, ask, database_options, json_option
from continuum.cli.printing import print_table
from continuum.cli.values import to_json
from continuum.journal.facts import NodeRow


@click.group(no_args_is_help=False)
def nodes() -> None:
    """List and drain nodes."""


@nodes.command(name="list")
@json_option
@database_options
def list_nodes(as_json: bool, dsn: str | None, schema: str) -> None:
    """List every node that has not stopped for good."""
    found = ask(Target(dsn, schema), lambda client: client.nodes())
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


@nodes.command(short_help="Let the node NAME drain and stop.")
@click.argument("name")
@database_options
def drain(name: str, dsn: str | None, schema: str) -> None:
    """Let the node NAME drain and stop: it finishes or releases what it runs, then exits."""
    ask(Target(dsn, schema), lambda client: client.drain_node(name))


def _facts(node: NodeRow) -> dict[str, Any]:
    return {
        "node": node.node,
        "pid": node.pid,
        "address": node.address,
        "state": node.state,
        "live_runs": node.live_runs,
        "lease_age": node.lease_age,
        "processes": [{"role": role, "pid": pid} for role, pid in node.processes],
        "workflows": node.workflows,
        "namespaces": node.namespaces,
    }
