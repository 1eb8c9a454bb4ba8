"""`continuum verify`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from continuum.cli.database import Target, database_options, json_option, opened
from continuum.cli.printing import print_table, shown_command
from continuum.cli.repeatable_commands import repeated
from continuum.cli.run_ids import RUN
from continuum.cli.times import read_time
from continuum.engine.ids import RunId, parse_run_id
from continuum.errors import RunNotFound
from continuum.journal.postgres.schema import check_schema
from continuum.journal.postgres.stored_facts import stored_facts
from continuum.journal.stored_facts import StoredFacts
from continuum.operations.json_text import to_json
from continuum.operations.repair_commands import repair_command
from continuum.verify.findings import Finding
from continuum.verify.rules import RULES
from continuum.verify.verify import verify as verified

# More findings of one kind than this are one fault, and nobody reads them.
FINDINGS = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@click.command(short_help="Check that what is stored keeps the invariants.")
@click.option("--namespace", metavar="TEXT", help="Only runs of this namespace; otherwise all.")
@click.option("--run", "runs", type=RUN, metavar="RUN", multiple=True, help="Only this run. Repeatable.")
@click.option(
    "--since",
    callback=read_time,
    metavar="DURATION|TIME",
    help="Only runs that have changed since: 2d, 12h, 30m, or a time in ISO 8601.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only N runs from all over the database, others each time.",
)
@json_option
@database_options
@click.pass_context
def verify(
    context: click.Context,
    namespace: str | None,
    runs: tuple[str, ...],
    since: datetime | None,
    sample: int | None,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Check every run, history, inbox, task and lease, also while nodes work; change nothing.

    Each finding names the run, the rule that does not hold, and what mends it. --since looks at every row of
    runs, and reads the histories of those that have changed; --sample costs as much in a large database as
    in a small one. Exit code 0 means that every rule holds, 1 that there are findings.
    """
    after = None if since is None else (since - EPOCH) // timedelta(microseconds=1)
    try:
        run_ids = [parse_run_id(run) for run in runs] or None
    except ValueError as error:
        raise click.BadParameter("RUN is the id of a run, as `runs list` shows it") from error

    if runs and sample is not None:
        raise click.UsageError("--run names the runs to check; leave --sample out")

    target = Target(dsn, schema)

    async def checking() -> list[Finding]:
        async with opened(target) as address:
            await check_schema(address, schema)
            found: list[Finding] = []
            async with stored_facts(address, schema) as facts:
                chosen = run_ids if sample is None else await facts.sample(sample)
                async for finding in verified(facts, namespace=namespace, run_ids=chosen, since=after):
                    found.append(finding)
                    if len(found) >= FINDINGS:
                        break
                if run_ids and not found:
                    await _require(facts, run_ids, namespace)
            return found

    found = asyncio.run(checking())
    if as_json:
        click.echo(to_json([_facts(finding, target) for finding in found]))
    elif found:
        print_table(("run", "rule", "finding"), [_cells(each, target) for each in found])
    else:
        click.echo(f"every rule holds in {target}: {len(RULES)} rules")
    if found:
        more = f", and perhaps more: only the first {FINDINGS} are shown" if len(found) >= FINDINGS else ""
        click.echo(f"{len(found)} finding{'' if len(found) == 1 else 's'}{more}", err=True)
        context.exit(1)


async def _require(facts: StoredFacts, run_ids: Sequence[RunId], namespace: str | None) -> None:
    """Raise `RunNotFound` for a run that was named and is not there, of which every rule would hold."""
    found = [run.id async for batch in facts.runs(namespace=namespace, run_ids=run_ids) for run in batch]
    for run_id in run_ids:
        if run_id not in found:
            raise RunNotFound(run_id, namespace=namespace)


def _facts(finding: Finding, target: Target) -> dict[str, str | None]:
    return {
        "run_id": finding.run_id,
        "rule": finding.rule,
        "keeps": RULES[finding.rule].keeps,
        "text": finding.text,
        "fix": _fix(finding, target),
    }


def _cells(finding: Finding, target: Target) -> tuple[str, ...]:
    fix = _fix(finding, target)
    mends = "" if fix is None else f"; `{shown_command(fix)}` mends it"
    return finding.run_id or "", finding.rule, f"{finding.text}{mends}"


def _fix(finding: Finding, target: Target) -> str | None:
    """Return the command that mends a finding; None if only a person can decide."""
    if not finding.mends:
        return None
    return repeated(target, repair_command(finding.rule, finding.subject, target.schema))
