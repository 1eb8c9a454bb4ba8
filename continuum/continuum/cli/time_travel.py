"""`continuum debug` and `continuum replay`: the history of a run through the code on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from continuum.cli.database import Target, database_options, json_option, namespace_option
from continuum.cli.printing import print_table, say
from continuum.cli.replayed_code import Asked, ending_of, history_options, load
from continuum.cli.run_ids import RUN
from continuum.client import Event
from continuum.client.namespaces import InNamespace
from continuum.operations.findings import amount
from continuum.operations.json_text import to_json
from continuum.quoting import one_line
from continuum.replays.asked_lines import AskedLine, replay_with_lines
from continuum.replays.histories import History
from continuum.replays.replay import OPEN_STATES, refusal
from continuum.replays.time_travel import Moment
from continuum.replays.time_travel import debug as debugged

# A value longer than this hides the line beside it; `runs history` has the whole.
VALUE_CHARACTERS = 60

# What a person wants to see of an event, the first that it has.
_VALUES = ("result", "value", "due", "child_run_id", "continued_to", "after", "by")


class MomentType(click.ParamType[int | str]):
    """The number of an event, `start` or `end`."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Read what was typed."""
        if value in ("start", "end"):
            return str(value)
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither the number of an event nor `start` or `end`", param, ctx)
        return int(value)


@click.command(short_help="Replay RUN under a debugger.")
@click.argument("run", type=RUN, required=False)
@click.option(
    "--at",
    type=MomentType(),
    metavar="SEQ",
    help="Stop at this event, which `runs history` numbers; or at the `start`, or at the `end`.",
)
@history_options
@namespace_option
@database_options
@click.pass_context
def debug(
    context: click.Context,
    run: str | None,
    at: Moment,
    path: str | None,
    modules: tuple[str, ...],
    namespace: InNamespace,
    dsn: str | None,
    schema: str,
) -> None:
    """Replay RUN through the code on disk under pdb, or under the debugger that runs this command.

    The code gets the results, signals and times that its history has. Nothing is written and no activity is
    executed. `breakpoint()` in the code stops there. Exit code 1 if the code does not accept the history, as
    `continuum replay` says it.
    """
    history, workflow = load(Asked(run, path, modules, namespace, Target(dsn, schema)), for_debugging=True)
    if isinstance(at, int) and at >= len(history):
        last = f"ends with event {len(history) - 1}" if history else "has no event"
        raise click.BadParameter(
            f"the history {last}; use `--at end` for what comes after it", param_hint="--at"
        )
    replayed = debugged(workflow, history, at)
    if replayed.state == "stopped":
        context.exit(0)
    _refuse(history, refusal(workflow, history, replayed))
    say(f"the code {ending_of(replayed)}")
    if at is None:
        click.echo("to step through it: `--at start`, `--at SEQ`, or `breakpoint()` in the code", err=True)


@click.command(short_help="Replay RUN through the code on disk.")
@click.argument("run", type=RUN, required=False)
@click.option("--verbose", "-v", is_flag=True, help="Print each event beside the line that asked for it.")
@history_options
@namespace_option
@json_option
@database_options
def replay(
    run: str | None,
    verbose: bool,
    path: str | None,
    modules: tuple[str, ...],
    namespace: InNamespace,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Replay RUN through the code on disk, without any effect.

    Exit code 0 if the code does what the history says and, for a run that has ended, ends as it did: code
    that fails as a failed run did is right. Exit code 1 if it asks for something else, ends in another way,
    or fails after the history of an open run.

    The line beside a result is the one that asked for the call; beside a signal, the one that takes it.
    """
    history, workflow = load(Asked(run, path, modules, namespace, Target(dsn, schema)))
    replayed, lines = replay_with_lines(workflow, history)
    problem = refusal(workflow, history, replayed)
    if as_json:
        facts = {
            "run_id": history.beginning.run_id,
            "workflow": workflow.name,
            "version": workflow.version_hash,
            "problem": problem,
            "code": ending_of(replayed),
        }
        click.echo(to_json(facts | ({"events": _facts(history, lines)} if verbose else {})))
    elif verbose:
        print_table(
            ("event", "at", "type", "name", "value", "where", "code"),
            [_row(event, lines.get(event.seq)) for event in history],
        )
    _refuse(history, problem)
    if not as_json:
        events = amount(len(history), "event")
        ended = "" if history.ending.state in OPEN_STATES else ", as the run did"
        say(f"the code accepts {events}, and {ending_of(replayed)}{ended}")


def _refuse(history: History, problem: str | None) -> None:
    if problem is not None:
        raise click.ClickException(f"run {history.beginning.run_id} does not replay: {problem}")


def _row(event: Event, line: AskedLine | None) -> Sequence[str]:
    where = "" if line is None else f"{_shown_path(line.path)}:{line.line}"
    return (
        str(event.seq),
        event.at.isoformat(timespec="milliseconds"),
        event.type,
        event.name or "",
        one_line(_value_of(event), VALUE_CHARACTERS),
        where,
        "" if line is None else line.text,
    )


def _facts(history: History, lines: Mapping[int, AskedLine]) -> list[dict[str, Any]]:
    return [
        {
            "seq": event.seq,
            "at": event.at,
            "type": event.type,
            "name": event.name,
            "value": _value_of(event),
            "file": None if line is None else line.path,
            "line": None if line is None else line.line,
            "code": None if line is None else line.text,
        }
        for event in history
        for line in [lines.get(event.seq)]
    ]


def _value_of(event: Event) -> str:
    """Return what an event brought, as a person reads it."""
    payload = event.payload
    if "message" in payload:
        return f"{payload['type']}: {payload['message']}" if payload["message"] else str(payload["type"])
    if "arguments" in payload:
        arguments, keywords = payload["arguments"], payload["keywords"]
        if not isinstance(arguments, list):
            return str(arguments)
        named = (f"{name}={to_json(value)}" for name, value in keywords.items())
        return f"({', '.join((*map(to_json, arguments), *named))})"
    return next((to_json(payload[key]) for key in _VALUES if payload.get(key) is not None), "")


def _shown_path(path: str) -> str:
    """Return a path from here, if it is below."""
    here = os.path.relpath(path)
    return path if here.startswith("..") else here
