"""The options that choose runs, and the conditions of a query that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from continuum.cli.values import named_json
from continuum.client.queries import Condition

F = TypeVar("F", bound=Callable[..., Any])

STATES = ("running", "suspended", "blocked", "completed", "failed", "cancelled", "continued")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a command line asks for."""

    states: tuple[str, ...]
    workflow: str | None
    parent: str | None
    attributes: tuple[tuple[str, Any], ...]

    def conditions(self) -> list[Condition]:
        """Return the conditions of the query; none if every run is asked for."""
        where: list[Condition] = [(("attributes", name), "eq", value) for name, value in self.attributes]
        if self.states:
            where.append(("state", "in", self.states))
        if self.workflow is not None:
            where.append(("workflow", "eq", self.workflow))
        if self.parent is not None:
            where.append(("parent_run_id", "eq", self.parent))
        return where


def filter_options(command: F) -> F:
    """Give a command --state, --workflow, --parent and --attribute, as parameters in this order."""
    for option in reversed(
        (
            click.option(
                "--state",
                "states",
                type=click.Choice(STATES),
                multiple=True,
                help="Only this state. Repeatable.",
            ),
            click.option("--workflow", metavar="NAME", help="Only runs of this workflow."),
            click.option("--parent", metavar="RUN", help="Only children of this run."),
            click.option(
                "--attribute",
                "attributes",
                type=named_json,
                multiple=True,
                metavar="NAME=JSON",
                help="Only runs with this attribute. Repeatable.",
            ),
        )
    ):
        command = option(command)
    return command
