"""`continuum runs export`: histories as lines of JSON, for files that tests and debuggers read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import click

from continuum.cli.database import Target, ask_journal, database_options
from continuum.cli.empty_answers import say_nothing
from continuum.cli.run_filters import RunFilter, filter_options
from continuum.cli.run_ids import RUN
from continuum.client.argument_checks import run_id_of
from continuum.client.limits import PAGE_ENTRIES
from continuum.client.namespaces import ANY_NAMESPACE, guarded
from continuum.client.pages import found_rows
from continuum.client.queries import question_of
from continuum.engine.ids import RunId
from continuum.journal.port import Journal
from continuum.replays.histories import read_histories
from continuum.replays.history_files import history_line

# As `runs list` shows them, which an index serves. Runs that start meanwhile come before the first page.
NEWEST_FIRST = ("started_at", "desc")

# Histories of so many runs are in memory at once: of more while they are short, so that the statements which
# read them are few.
LEAST_GROUP, LARGEST_GROUP = 8, 200
EVENTS = 10_000
# Where no index leads to the runs, it looks at so many at a time, which takes some tenths of a second.
LOOKED_AT = 50_000


@click.command(short_help="Print histories, a line of JSON for each run.")
@click.argument("run_ids", type=RUN, nargs=-1, metavar="[RUN ...]")
@click.option("--all", "every", is_flag=True, help="Every run; otherwise name runs, or filter them.")
@filter_options
@click.option("--namespace", metavar="TEXT", help="Only runs of this namespace; otherwise all.")
@database_options
def export(
    run_ids: tuple[str, ...],
    every: bool,
    chosen: RunFilter,
    namespace: str | None,
    dsn: str | None,
    schema: str,
) -> None:
    """Print the history of each RUN, or of each run that the options choose, the latest first.

    Each line is a history with everything that a replay needs, also values: keep the file like the database.
    `continuum.testing.load_history` reads it, and so do `continuum replay` and `debug` with --file.
    """
    filtered = chosen.chooses or every or (namespace is not None and not run_ids)
    if bool(run_ids) == filtered:
        raise click.UsageError("name runs, or choose them by options, or give --all")

    async def exporting(journal: Journal) -> int:
        runs = 0
        pages = _named(journal, run_ids, namespace) if run_ids else _chosen(journal, chosen, namespace)
        group = LEAST_GROUP
        async for page in pages:
            while page:
                histories = await read_histories(journal, page[:group])
                page = page[group:]
                for history in histories:
                    click.echo(history_line(history))
                runs += len(histories)
                events = sum(map(len, histories))
                group = max(LEAST_GROUP, min(LARGEST_GROUP, EVENTS * len(histories) // max(events, 1)))
        return runs

    target = Target(dsn, schema)
    if not ask_journal(target, exporting, read_only=True):
        say_nothing(target, "run", "`continuum start WORKFLOW` starts one")


async def _named(
    journal: Journal, run_ids: Sequence[str], namespace: str | None
) -> AsyncIterator[Sequence[RunId]]:
    """Yield ids in canonical form, one at a time; `RunNotFound` at one that no run of the namespace has."""
    within = ANY_NAMESPACE if namespace is None else namespace
    for run_id in map(run_id_of, run_ids):
        yield [guarded(run_id, await journal.get_run(run_id), within).id]


async def _chosen(
    journal: Journal, chosen: RunFilter, namespace: str | None
) -> AsyncIterator[Sequence[RunId]]:
    """Yield the ids of the runs that a query finds, page after page."""
    cursor: str | None = None
    # Ages are those of the moment at which it begins, however long the export takes.
    now = journal.now()
    where = chosen.conditions()
    while True:
        question = question_of(where, NEWEST_FIRST, PAGE_ENTRIES, cursor, namespace, chosen.find, now)
        found = await found_rows(journal, question, payloads=False, look_at=LOOKED_AT)
        yield [row.id for row in found.rows]
        if found.cursor is None:
            return
        cursor = found.cursor
