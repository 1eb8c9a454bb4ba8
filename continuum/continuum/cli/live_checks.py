"""Checks of every open run, with a bar if a person watches; one that was interrupted can be continued."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import click

from continuum.cli.database import Target, ask_journal
from continuum.drift.deploy_check import CheckedRuns, Inspection, OpenRunsCheck, StoredRuns
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.port import Versions
from continuum.versions.loaded_code import Code

F = TypeVar("F", bound=Callable[..., Any])

# The check reads all of them anyway, so they are counted to the end.
EVERY_RUN = 1 << 62


def after_option(command: F) -> F:
    """Give a check of every open run --after."""
    return click.option(
        "--after", type=click.UUID, metavar="UUID", help="Continue a check with --live that was interrupted."
    )(command)


@dataclass(frozen=True, slots=True)
class LiveCheck:
    """A check of every open run; `inspect` as in `OpenRunsCheck`."""

    target: Target
    code: Code
    modules: Sequence[str]
    after: UUID | None
    inspect: Inspection | None = None

    def run(self, show: Callable[[CheckedRuns], None]) -> bool:
        """Check and show what was found; return whether nothing was.

        An interrupted check shows what it has found until then, and how to continue it.
        """
        checks: list[OpenRunsCheck] = []

        async def checking(journal: StoredRuns) -> None:
            after = None if self.after is None else RunId(str(self.after))
            check = OpenRunsCheck(journal, self.code, self.modules, after=after, inspect=self.inspect)
            checks.append(check)
            await _with_progress(check, journal)

        try:
            ask_journal(self.target, checking, read_only=True)
        except (KeyboardInterrupt, JournalUnavailable):
            for check in checks:
                if check.result().findings:
                    show(check.result())
                if check.after is not None:
                    click.echo(f"the check is not complete: continue it with --after {check.after}", err=True)
            raise
        checked = checks[0].result()
        show(checked)
        return not checked.findings


async def _with_progress(check: OpenRunsCheck, journal: Versions) -> None:
    if not sys.stderr.isatty():
        async for _ in check.pages():
            continue
        return
    runs = sum(row.open_runs for row in await journal.versions(counted=EVERY_RUN))
    with click.progressbar(length=runs, label="open runs", file=sys.stderr) as bar:
        async for checked in check.pages():
            bar.update(checked)
