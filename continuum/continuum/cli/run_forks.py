"""`continuum runs restart`, `reset` and `fork`: runs that begin with the events of another.

Each shows first what it would do, and asks. It does nothing else than that: if the run has changed by the
answer, nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click

from continuum.cli.bulk import BulkOptions, bulk_and_json_options, change_found
from continuum.cli.changes import acting, changing_options, confirmed, declined
from continuum.cli.database import Target, ask, database_options, namespace_option
from continuum.cli.printing import say
from continuum.cli.run_ids import RUN
from continuum.client import Client, Cut, CutCall, CutChild, Run
from continuum.client.argument_checks import run_id_of
from continuum.client.namespaces import InNamespace
from continuum.definitions.workflow import Workflow
from continuum.engine.events import Forking
from continuum.operations.actor import Actor
from continuum.operations.cut_facts import tried_again
from continuum.operations.cut_words import NAMED, TRIED_AGAIN, anew_words, standing_words
from continuum.operations.json_text import to_json
from continuum.quoting import listed

F = TypeVar("F", bound=Callable[..., Any])

# What a plan cannot know.
NOT_COUNTED = "check whether an ordinary activity, in an `except` block for example, has undone kept events"
NOT_REPEATED = "what came there is not delivered again, and what was undone there under a key is not known"
NOT_LISTED = "what was done there is not known, and is done again, too, if the code asks for it"
BOTH_COUNT = "both runs count on the kept events: what one of them undoes later is undone for both"


def _cutting_options(command: F) -> F:
    """Give a command what restart, reset and fork share."""
    for option in (
        database_options,
        namespace_option,
        changing_options,
        bulk_and_json_options,
        click.option(
            "--module",
            "modules",
            multiple=True,
            metavar="MODULE",
            help="First see whether this code accepts the events that are kept. Repeatable.",
        ),
        click.option(
            "--signals",
            type=click.Choice(("again", "drop")),
            default="again",
            show_default=True,
            help="Post the signals that came later again, or drop them.",
        ),
    ):
        command = option(command)
    return command


_at_option = click.option(
    "--at",
    type=int,
    required=True,
    metavar="SEQ",
    help="Keep the events before this one, which `runs history` numbers.",
)


@click.command(short_help="Let the failed RUN, or all runs found, continue from the failure.")
@click.argument("run", type=RUN, required=False)
@_cutting_options
def restart(run: str | None, **given: Any) -> None:
    """Let the failed RUN, or the run that continues it, continue from its failure; print the new id.

    The activity that failed is pending again, with attempt 1; results beside it stay. A run that its own
    code failed is replayed by the code that nodes have now, and continues. A restart is refused if a
    compensation has undone since what the events before the failure count on. With --find, do this to all
    failed runs that a search finds, and skip those that cannot be restarted.
    """
    _change("restart", run, None, **given)


@click.command(short_help="Let RUN, or all runs found, continue from before an event.")
@click.argument("run", type=RUN, required=False)
@_at_option
@_cutting_options
def reset(run: str | None, at: int, **given: Any) -> None:
    """Let RUN continue from before an event, as the next run of its chain, and print the id of that.

    The id of RUN, its parent and signals mean the new run from then on. If RUN is open, it ends as cancelled.
    With --find, do this to all runs that a search finds, and skip those that cannot be cut there.
    """
    _change("reset", run, at, **given)


@click.command(short_help="Make a run from before an event of RUN, or of all runs found.")
@click.argument("run", type=RUN, required=False)
@_at_option
@_cutting_options
def fork(run: str | None, at: int, **given: Any) -> None:
    """Make a run beside RUN that continues from before an event of it; print its id. RUN stays as it is.

    With --find, do this to all runs that a search finds, and skip those that cannot be cut there.
    """
    _change("fork", run, at, **given)


def _change(
    how: str,
    run: str | None,
    at: int | None,
    *,
    signals: Any,
    modules: tuple[str, ...],
    bulk: BulkOptions,
    actor: Actor,
    namespace: InNamespace,
    dsn: str | None,
    schema: str,
) -> None:
    target = Target(dsn, schema)
    one = bulk.one(run, shown=True)
    if one is None:
        if modules:
            raise click.UsageError("--module is for one RUN: nodes find out which runs their code accepts")
        change_found(target, how, namespace, bulk, actor, event=at, signals=signals)
        return

    async def looking(client: Client) -> tuple[Cut, Run]:
        cut = await client.cut(one, how, at=at, signals=signals, namespace=namespace)
        return cut, await client.get_run(cut.run_id)

    cut, found = ask(target, looking)
    asked = run_id_of(one)
    if bulk.only_preview and bulk.as_json:
        click.echo(to_json({"cut": asdict(cut)}))
    elif not bulk.as_json:
        latest = [] if cut.run_id == asked else [f"run {asked} has continued; its latest run is {cut.run_id}"]
        for line in (*latest, *preview(cut, found, dropped=signals == "drop")):
            say(line, err=not bulk.only_preview)
    if bulk.only_preview:
        return
    if not confirmed(f"{how} run {cut.run_id}?", f"run {cut.run_id} was not changed", yes=bulk.yes):
        declined(f"run {cut.run_id}: nothing changed")
    # Between two connections, like the question: code is loaded outside of a loop.
    workflow = _workflow(modules, found.workflow) if modules else None
    new = ask(target, lambda client: _make(acting(client, actor), how, cut, signals, workflow))
    click.echo(to_json({"run_id": new, "cut": asdict(cut)}) if bulk.as_json else new)


def _workflow(modules: Sequence[str], name: str) -> Workflow[..., Any]:
    # What loads code is a large part of ours, which other commands do without.
    from continuum.cli.replayed_code import workflow_in

    return workflow_in(modules, name, None)


async def _make(client: Client, how: str, cut: Cut, signals: Any, workflow: Workflow[..., Any] | None) -> str:
    """Do what was shown; the run is the one that was looked at."""
    match how:
        case "restart":
            made = await client.restart(cut.run_id, signals=signals, workflow=workflow, seen=cut)
        case "reset":
            made = await client.reset(cut.run_id, at=cut.at, signals=signals, workflow=workflow, seen=cut)
        case _:
            made = await client.fork(cut.run_id, at=cut.at, signals=signals, workflow=workflow, seen=cut)
    return made.id


def preview(cut: Cut, run: Run, *, dropped: bool = False) -> list[str]:
    """Return the lines that say what a change would do."""
    kept = f"keeps its first {cut.at} of {cut.events} events" if cut.at else "keeps none of its events"
    lines = [f"run {cut.run_id} of {run.workflow} is {run.state}; the new run {kept}"]
    for what, named in (
        ("runs again at once", _calls(cut.runs_again)),
        ("runs again if the code asks for it", _calls(cut.may_run_again)),
        ("keeps its later result", _calls(cut.keeps)),
        ("signals posted again", list(cut.signals)),
        ("children that report their end again", _children(cut.children)),
        ("children that stay with the run as it is", _children(cut.left)),
    ):
        if named:
            more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
            lines.append(f"  {what}: {listed(named[:NAMED])}{more}")
    if any(call.was == "pending" for call in cut.runs_again):
        lines.append("  what is pending keeps a result that has arrived, and does not run again then")
    if cut.unreadable is not None:
        lines.append(f"  event {cut.unreadable} cannot be read: {NOT_REPEATED}")
        last = cut.events - 1
        where = f"event {last}" if last <= cut.unreadable else f"events {cut.unreadable} to {last}"
        lines.append(f"  {where}: {NOT_LISTED}")
    lines += [f"  {words}" for words in (*anew_words(cut), *standing_words(cut))]
    if tried_again(cut):
        lines.append(f"  {TRIED_AGAIN}")
    if cut.how is Forking.RESET and run.completed_at is None and (cut.stands or cut.left):
        lines.append(f"  run {cut.run_id} ends as cancelled with that, and compensates nothing")
        lines.append(f"  `continuum cancel {cut.run_id}` first lets it compensate; reset it then")
    if cut.at:
        lines.append(f"  {NOT_COUNTED}")
        if cut.how is Forking.FORK:
            lines.append(f"  {BOTH_COUNT}")
    if dropped:
        lines.append("  signals that came later are dropped")
    if not (cut.runs_again or cut.may_run_again or cut.left) and cut.unreadable is None:
        lines.append("  no activity runs again")
    return lines


def _calls(calls: Sequence[CutCall]) -> list[str]:
    return [f"{call.name}{_marks(call)} of event {call.seq}, {call.was}" for call in calls]


def _marks(call: CutCall) -> str:
    marks = (("a compensation", call.compensation), ("at most once", call.at_most_once))
    named = [name for name, applies in marks if applies]
    return f" ({', '.join(named)})" if named else ""


def _children(children: Sequence[CutChild]) -> list[str]:
    return [f"{child.run_id} of {child.workflow}" for child in children]
