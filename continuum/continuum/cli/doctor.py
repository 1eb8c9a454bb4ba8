"""`continuum doctor`."""

from __future__ import annotations

import asyncio

import click

from continuum.cli.database import Target, database_options, json_option, opened
from continuum.cli.findings_output import finding_facts, print_finding
from continuum.cli.times import Seconds
from continuum.journal.ground_facts import Ground
from continuum.journal.postgres.ground import read_ground
from continuum.operations.doctor import LIMITS, diagnose
from continuum.operations.findings import serious
from continuum.operations.json_text import to_json
from continuum.operations.time_zones import has_time_zones
from continuum.release import release
from continuum_migrations import expected_objects


@click.command(short_help="Check what nodes stand on: the server, the schema, this machine.")
@click.option(
    "--transaction-age",
    type=Seconds(),
    default=LIMITS.transaction_seconds,
    show_default=True,
    metavar="SECONDS",
    help="Report transactions that have been open for longer.",
)
@json_option
@database_options
@click.pass_context
def doctor(
    context: click.Context, transaction_age: float, as_json: bool, dsn: str | None, schema: str
) -> None:
    """Check the server, its settings, the schema, the rights of the role, LISTEN, and the clocks.

    It changes nothing and may run beside live nodes. Each finding has a code, a sentence that ends in what to
    do, and the exact commands where there are some. Exit code 0 means that nothing is wrong, 1 that
    something is; notes alone leave it 0.
    """

    target = Target(dsn, schema)

    async def asking() -> Ground:
        async with opened(target) as address:
            return await read_ground(address, schema)

    found = diagnose(
        asyncio.run(asking()),
        expected_objects(),
        time_zones=has_time_zones(),
        own_release=release(),
        limits=LIMITS._replace(transaction_seconds=transaction_age),
    )
    if as_json:
        click.echo(to_json([finding_facts(target, finding) for finding in found]))
    else:
        for finding in found:
            print_finding(target, finding)
        if not found:
            click.echo(f"nothing is wrong with the server, the schema and this machine ({target})")
    if serious(found):
        context.exit(1)
