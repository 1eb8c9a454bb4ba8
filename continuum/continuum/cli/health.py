"""`continuum health` and `continuum health review`."""

from __future__ import annotations

import asyncio

import click

from continuum.cli.changes import changing_options, recorder
from continuum.cli.database import Target, ask_journal, database_options, json_option, opened
from continuum.cli.findings_output import finding_facts, print_finding
from continuum.cli.times import Seconds
from continuum.errors import InvalidOption, SchemaOutOfDate
from continuum.journal.port import Journal
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.schema import check_schema, losses_of
from continuum.operations.actor import Actor
from continuum.operations.findings import Finding, amount, serious, verb
from continuum.operations.health import DUE_FOR_SECONDS, schema_finding
from continuum.operations.health_check import HealthReport, check_health, review_finding
from continuum.operations.json_text import to_json

due_for_option = click.option(
    "--due-for",
    type=Seconds(),
    default=DUE_FOR_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Work that has been due for longer is late.",
)


@click.group(invoke_without_command=True, no_args_is_help=False, short_help="Say what is unhealthy.")
@due_for_option
@click.option("--all", "show_all", is_flag=True, help="Also show findings that were reviewed.")
@json_option
@database_options
@click.pass_context
def health(
    context: click.Context, due_for: float, show_all: bool, as_json: bool, dsn: str | None, schema: str
) -> None:
    """Say what is unhealthy: late, blocked, lost or suspected, each with what to do about it.

    It changes nothing, counts nothing without a limit, and may run as often as a monitor likes. Exit code 0
    means that all is well, 1 that there are errors or warnings that nobody has reviewed.
    """
    if context.invoked_subcommand is not None:
        return
    target = Target(dsn, schema)
    report = asyncio.run(_report(target, due_for))
    if as_json:
        findings = [{**finding_facts(target, each), "reviewed": False} for each in report.findings]
        findings += [{**finding_facts(target, each), "reviewed": True} for each in report.reviewed]
        click.echo(to_json(findings))
    else:
        for finding in [*report.findings, *(report.reviewed if show_all else ())]:
            print_finding(target, finding)
        if not report.findings:
            click.echo(f"all is well in {target}")
        if report.reviewed and not show_all:
            number = len(report.reviewed)
            change, them = verb(number, "it changes", "they change"), verb(number, "it", "them")
            click.echo(
                f"{amount(number, 'finding')} reviewed before, and silent until {change}: --all shows {them}"
            )
    if serious(report.findings):
        context.exit(1)


@health.command(short_help="Silence the finding FINGERPRINT until it changes.")
@click.argument("fingerprint")
@due_for_option
@changing_options
@database_options
def review(fingerprint: str, actor: Actor, due_for: float, dsn: str | None, schema: str) -> None:
    """Silence the finding FINGERPRINT until it changes; `continuum health --all` still shows it."""

    target = Target(dsn, schema)

    async def reviewing(journal: Journal) -> tuple[Finding, bool]:
        record = recorder(actor, journal.now())
        try:
            return await review_finding(journal, fingerprint, record=record, due_for=due_for)
        except InvalidOption as error:
            error.add_note(f"looked in {target}")
            raise

    finding, silenced = ask_journal(target, reviewing)
    now = "is silent until it changes" if silenced else "was silent already"
    click.echo(f"{finding.code} of {finding.subject} {now}")


async def _report(target: Target, due_for: float) -> HealthReport:
    async with opened(target) as address:
        try:
            await check_schema(address, target.schema)
        except SchemaOutOfDate as error:
            return _without_schema(target, error)
        losses = await losses_of(address, target.schema)
        journal = PostgresJournal(address, schema=target.schema, listen=False, read_only=True)
        await journal.open()
        try:
            report = await check_health(journal, due_for=due_for)
        except SchemaOutOfDate as error:
            return _without_schema(target, error if losses is None else SchemaOutOfDate(losses))
        finally:
            await journal.close()
    if losses is None:
        return report
    return HealthReport([schema_finding(target.schema, losses), *report.findings], report.reviewed)


def _without_schema(target: Target, error: SchemaOutOfDate) -> HealthReport:
    return HealthReport([schema_finding(target.schema, str(error))], [])
