"""One change of all runs that a search finds: its preview, the question before it, and its progress."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from continuum.cli.changes import confirmed, declined, recorder
from continuum.cli.database import Target, ask_journal
from continuum.cli.printing import escaped
from continuum.cli.repeatable_commands import command_here
from continuum.cli.run_filters import find_option
from continuum.client.namespaces import InNamespace
from continuum.journal.operation_facts import OperationRow, OperationState, Part
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.bulk import BulkChange, bulk_change
from continuum.operations.bulk_action import BULK_ACTIONS
from continuum.operations.bulk_execution import beginning, execute
from continuum.operations.bulk_preview import preview
from continuum.operations.bulk_records import Operation, OperationPreview, UnchangedRuns, operation_of
from continuum.operations.cut_words import TRIED_AGAIN
from continuum.operations.json_text import to_json
from continuum.quoting import one_line

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How a command line changes many runs."""

    find: str | None
    only_preview: bool
    digest: str | None
    rate: float | None
    yes: bool
    as_json: bool

    def one(self, run: str | None, *, shown: bool = False) -> str | None:
        """Return the run that is named, None if a search is given; both or neither are wrong use.

        `shown` says that the command has a preview of one run, too.
        """
        if (run is None) == (self.find is None):
            raise click.UsageError("name a run, or search for runs with --find")
        if run is not None and (self.digest is not None or self.rate is not None):
            raise click.UsageError("--digest and --rate are for --find")
        if run is not None and self.only_preview and not shown:
            raise click.UsageError("this command has a --preview with --find only")
        return run


def _finding(as_json: str) -> Callable[[F], F]:
    def options(command: F) -> F:
        @find_option
        @click.option("--preview", "only_preview", is_flag=True, help="Show what would be changed, and end.")
        @click.option(
            "--digest", metavar="TEXT", help="Do what this preview showed, without a question. With --find."
        )
        @click.option("--rate", type=float, metavar="NUMBER", help="Change at most so many runs a second.")
        @click.option("--yes", is_flag=True, help="Do it without a question.")
        @click.option("--json", "as_json", is_flag=True, help=as_json)
        @functools.wraps(command)
        def with_options(
            *args: Any,
            find: str | None,
            only_preview: bool,
            digest: str | None,
            rate: float | None,
            yes: bool,
            as_json: bool,
            **given: Any,
        ) -> Any:
            return command(*args, bulk=BulkOptions(find, only_preview, digest, rate, yes, as_json), **given)

        return with_options  # type: ignore[return-value]  # click calls it with keywords, whatever the command's type

    return options


# Give a command --find and what goes with it, as the parameter `bulk`; the second if one run has JSON too.
bulk_options = _finding("Print JSON. With --find.")
bulk_and_json_options = _finding("Print JSON.")


def change_found(
    target: Target, action: str, namespace: InNamespace, bulk: BulkOptions, actor: Actor, **facts: Any
) -> None:
    """Change all runs that the search finds, after a preview and a question."""
    within = namespace if isinstance(namespace, str) else None
    change = bulk_change(action, bulk.find or "", namespace=within, **facts)
    change_runs(target, change, bulk, actor)


def change_runs(target: Target, change: BulkChange, bulk: BulkOptions, actor: Actor) -> None:
    """Preview a change, ask, and make it."""
    shown = ask_journal(target, lambda journal: preview(journal, change))
    if bulk.only_preview:
        click.echo(to_json(shown) if bulk.as_json else "\n".join(_lines(target, shown, change)))
        return
    digest = bulk.digest
    if digest is None:
        if shown.exact and not shown.count:
            click.echo(to_json(None) if bulk.as_json else "no run was found, and nothing was changed")
            for note in shown.notes:
                click.echo(note, err=True)
            return
        if not bulk.yes:
            click.echo("\n".join(_lines(target, shown, change)), err=True)
            if _all_skipped(shown):
                click.echo(to_json(None) if bulk.as_json else "nothing was changed")
                return
        else:
            for note in shown.notes:
                click.echo(note, err=True)
        undone = f"{shown.text} not changed"
        if not confirmed("Change them?", undone, yes=bulk.yes):
            declined("nothing was changed")
        digest = shown.digest
    operation = change.operation(digest, actor, shown.text, bulk.rate)
    total = shown.count if shown.exact else None

    async def making(journal: Journal) -> OperationRow:
        audit = beginning(recorder(actor, journal.now()), operation, digest)
        await journal.begin_operation(operation, audit=audit)
        with progress(operation.id, total) as told:
            return await execute(journal, operation.id, told)

    finish(target, make(target, operation.id, making), as_json=bulk.as_json)


def make(target: Target, operation: str, making: Callable[[Journal], Any]) -> OperationRow:
    """Execute an operation; after an interrupt say how it is continued."""
    try:
        row: OperationRow = ask_journal(target, making)
    except KeyboardInterrupt:
        click.echo(f"operation {operation}: {resumes(target, operation)}", err=True)
        raise
    return row


def resumes(target: Target, operation: str) -> str:
    """Return, in words, how an operation that is not over is continued."""
    return f"`{command_here(target, 'operations', 'resume', operation)}` continues it"


def finish(target: Target, row: OperationRow, *, as_json: bool) -> None:
    """Print how an operation is now, and why runs were left as they are.

    The exit code is 1 if runs have failed, or if it was paused or cancelled meanwhile.
    """
    shown = operation_of(row)
    click.echo(to_json(shown) if as_json else _result(target, shown))
    if not as_json:
        for line in reason_lines(shown.reasons):
            click.echo(f"  {line}", err=True)
    if shown.failed:
        recorded = str(row.arguments.get("recorded_as"))
        errors = command_here(target, "audit", "list", "--action", recorded)
        raise click.ClickException(f"{shown.failed:,} runs could not be changed; `{errors}` has their errors")
    if shown.state != OperationState.COMPLETED:
        raise click.exceptions.Exit(1)


def reason_lines(reasons: Sequence[UnchangedRuns], would_be: str = "") -> Iterator[str]:
    """Yield why runs are left as they are, as lines for a person; each names five of the runs at most."""
    for each in reasons:
        runs = ", ".join(each.runs) + (", …" if each.count > len(each.runs) else "")
        yield escaped(f"{each.count:,} {would_be}{each.outcome}: {one_line(each.why)} ({runs})")


@contextmanager
def progress(operation: str, total: int | None) -> Iterator[Callable[[Part], None]]:
    """Show how far an operation is, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _part: None
        return
    # Import late: a pipe needs none of it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"operation {operation}", total=total)
        yield lambda part: bar.update(task, completed=part.done + part.skipped + part.failed)


def _lines(target: Target, shown: OperationPreview, change: BulkChange) -> Iterator[str]:
    """Yield a preview as lines for a person."""
    if shown.exact and not shown.count:
        # Nothing is left to do, so no digest.
        yield "no run was found, and nothing would be changed"
        yield from shown.notes
        return
    action = BULK_ACTIONS[shown.action]
    undo = "; this cannot be undone" if action.irreversible else ""
    skipped = _known_to_be_skipped(shown)
    if _all_skipped(shown):
        yield f"{shown.text} {'was' if shown.count == 1 else 'were'} found, and nothing would be changed:"
    elif shown.exact and skipped:
        yield f"{shown.count - skipped:,} of {shown.text} would be {action.verb}{undo}:"
    else:
        yield f"{shown.text} would be {action.verb}{undo}:"
    for run in shown.examples:
        at = run.started_at.isoformat(timespec="seconds")
        why = "" if run.refused is None else f"  would be skipped: {one_line(run.refused)}"
        if run.tries_again:
            why = f"  tries again: {one_line(', '.join(run.tries_again))}"
        yield escaped(f"  {run.id}  {run.workflow}  {run.state}  {at}{why}")
    if shown.count > len(shown.examples) or not shown.exact:
        yield "  …"
    refused = sum(run.refused is not None for run in shown.examples)
    if action.cuts is not None and refused:
        yield f"{refused} of these {len(shown.examples)} would be skipped"
    if again := sum(bool(run.tries_again) for run in shown.examples):
        yield f"in {again} of these {len(shown.examples)} {TRIED_AGAIN}"
    yield from _standing_lines(target, shown, change)
    if shown.skipped and not shown.exact:
        yield f"of the first {shown.count:,} that were counted:"
    yield from reason_lines(shown.skipped, "of them would be ")
    yield from map(escaped, shown.notes)
    if not _all_skipped(shown):
        yield f"--digest {shown.digest} does this; runs that start after {shown.until.isoformat()} are spared"


def _known_to_be_skipped(shown: OperationPreview) -> int:
    """Return how many of the runs found would be left as they are, as far as that is known of all of them."""
    if shown.skipped or shown.count > len(shown.examples):
        return sum(each.count for each in shown.skipped)
    return sum(run.refused is not None for run in shown.examples)


def _all_skipped(shown: OperationPreview) -> bool:
    return shown.exact and _known_to_be_skipped(shown) >= shown.count


def _standing_lines(target: Target, shown: OperationPreview, change: BulkChange) -> Iterator[str]:
    """Yield in how many runs something that was done stays done and is done again, with one as an example."""
    standing = [run for run in shown.examples if run.stands]
    if not standing:
        return
    first, place = standing[0], change.arguments["at"]
    at = () if place is None else ("--at", str(place))
    drop = ("--signals", "drop") if change.arguments["signals"] == "drop" else ()
    one = command_here(target, "runs", shown.action, first.id, *at, *drop, "--preview")
    looked = f"{len(standing)} of the {len(shown.examples)} looked at"
    yield f"in {looked} what was done stays done, or may, and is done again; run {first.id} is one:"
    yield escaped(f"  {one_line(first.stands[0])}")
    yield f"  `{one}` shows all that it does"


def _result(target: Target, shown: Operation) -> str:
    counts = f"{shown.done:,} done, {shown.skipped:,} skipped, {shown.failed:,} failed"
    text = f"operation {shown.id} is {shown.state}: {counts}"
    if shown.state in (OperationState.RUNNING, OperationState.PAUSED):
        return f"{text}; {resumes(target, shown.id)}"
    return text
