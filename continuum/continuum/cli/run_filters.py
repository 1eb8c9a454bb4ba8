"""The options that choose runs, and the conditions of a query that they stand for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from continuum.cli.completed_words import workflow_names
from continuum.cli.run_ids import RUN
from continuum.cli.values import named_json
from continuum.client.queries import Condition

F = TypeVar("F", bound=Callable[..., Any])

OPEN_STATES = ("running", "suspended", "blocked")
_ENDED = ("completed", "failed", "cancelled", "continued")
# What a search knows as well.
_SEVERAL = {"open": OPEN_STATES, "ended": _ENDED}

find_option = click.option(
    "--find",
    metavar="SEARCH",
    help="Only runs for which all terms hold: state:failed,blocked workflow:pay* -error:TimeoutError "
    "started:<2d @region:eu waits:signal:review",
)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a command line asks for."""

    states: tuple[str, ...]
    workflow: str | None
    parent: str | None
    attributes: tuple[tuple[str, Any], ...]
    find: str | None = None
    paused: bool = False

    @property
    def chooses(self) -> bool:
        """Whether any option was given."""
        return self.find is not None or bool(self.conditions())

    def conditions(self) -> list[Condition]:
        """Return the conditions of the query besides the search; none if every run is asked for."""
        where: list[Condition] = [(("attributes", name), "eq", value) for name, value in self.attributes]
        if self.states:
            each_once = dict.fromkeys(name for given in self.states for name in _SEVERAL.get(given, (given,)))
            where.append(("state", "in", tuple(each_once)))
        if self.workflow is not None:
            where.append(("workflow", "eq", self.workflow))
        if self.parent is not None:
            where.append(("parent_run_id", "eq", self.parent))
        if self.paused:
            where.append(("paused_at", "ne", None))
        return where


def filter_options(command: F) -> F:
    """Give a command --find, --state, --workflow, --parent, --attribute and --paused, as `chosen`."""

    @functools.wraps(command)
    def with_filter(
        *args: Any,
        find: str | None,
        states: tuple[str, ...],
        workflow: str | None,
        parent: str | None,
        attributes: tuple[tuple[str, Any], ...],
        paused: bool,
        **given: Any,
    ) -> Any:
        return command(*args, chosen=RunFilter(states, workflow, parent, attributes, find, paused), **given)

    filtered = with_filter
    for option in reversed(
        (
            find_option,
            click.option(
                "--state",
                "states",
                type=click.Choice((*OPEN_STATES, *_ENDED, *_SEVERAL)),
                multiple=True,
                help="Only this state; open and ended are several. Repeatable.",
            ),
            click.option(
                "--workflow",
                metavar="NAME",
                help="Only runs of this workflow.",
                shell_complete=workflow_names,
            ),
            click.option("--parent", type=RUN, metavar="RUN", help="Only children of this run."),
            click.option(
                "--attribute",
                "attributes",
                type=named_json,
                multiple=True,
                metavar="NAME=JSON",
                help="Only runs with this attribute. Repeatable.",
            ),
            click.option("--paused", is_flag=True, help="Only runs that are paused by themselves."),
        )
    ):
        filtered = option(filtered)
    return filtered  # type: ignore[return-value]  # click calls it with keywords, whatever the command's type
