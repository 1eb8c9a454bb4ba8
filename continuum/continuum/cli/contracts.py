"""`continuum contracts`: what workflows take and return, and whether what open runs hold still fits."""

from __future__ import annotations

import json
from uuid import UUID

import click

from continuum.cli.database import Target, database_options, json_option
from continuum.cli.drift_output import print_elsewhere
from continuum.cli.live_checks import LiveCheck, after_option
from continuum.cli.printing import say
from continuum.contracts.documents import contracts_document
from continuum.drift.data_check import data_findings
from continuum.drift.deploy_check import CheckedRuns
from continuum.operations.json_text import to_json
from continuum.quoting import listed
from continuum.versions.loaded_code import load_code


class _ShowsByDefault(click.Group):
    """A group in which the first word may be a module: then it is `show MODULE`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group(
    cls=_ShowsByDefault, no_args_is_help=False, short_help="Print the types of workflows as JSON Schema."
)
def contracts() -> None:
    """Print what the workflows of MODULE take and return, and check what open runs hold against it.

    `continuum contracts MODULE` is `continuum contracts show MODULE`.
    """


@contracts.command(short_help="Print JSON Schema of inputs, results and signals.")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.pass_context
def show(context: click.Context, modules: tuple[str, ...]) -> None:
    """Print one JSON document: the contracts of workflows and activities by name, as JSON Schema 2020-12.

    Inputs and signals are described as `continuum start` and `signal` read them, results as `result` prints
    them. Exit code 1 means that MODULE defines and imports no workflow.
    """
    code = load_code(modules)
    click.echo(json.dumps(contracts_document(code.all_workflows, code.activities.values()), indent=2))
    if not code.workflows:
        click.echo(f"no workflow is defined in {listed(modules)}; name the modules that have them", err=True)
        context.exit(1)


@contracts.command(short_help="Check whether what open runs hold fits the code of MODULE.")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option("--live", is_flag=True, help="Decode what every open run holds with the types of MODULE.")
@after_option
@json_option
@database_options
@click.pass_context
def check(
    context: click.Context,
    modules: tuple[str, ...],
    live: bool,
    after: UUID | None,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Check that the types of MODULE take what every open run holds; exit 1 if not, and say where.

    That is its input, the results and signals in its history, its unread signals, and the arguments of
    activities that are still to run. No code of a workflow is executed: whether its steps are still the same,
    `continuum versions check --live` says.
    """
    if not live:
        raise click.UsageError("contracts are checked with what open runs hold; add --live")
    code = load_code(modules)
    target = Target(dsn, schema)
    fits = LiveCheck(target, code, modules, after, data_findings).run(
        lambda checked: _print_checked(target, checked, as_json)
    )
    context.exit(0 if fits else 1)


def _print_checked(target: Target, checked: CheckedRuns, as_json: bool) -> None:
    if as_json:
        runs = [
            {
                "run_id": each.run_id,
                "workflow": each.workflow,
                "version": each.version,
                "place": each.place,
                "reason": each.reason,
                "advice": each.advice,
            }
            for each in checked.findings
        ]
        click.echo(to_json({"fits": not checked.findings, "runs": runs, "elsewhere": checked.elsewhere}))
        return
    for each in checked.findings:
        say(f"{each.run_id} {each.workflow}: {each.place}: {each.reason}; {each.advice}")
    if not checked.findings:
        of_these = " of these modules" if checked.elsewhere else ""
        click.echo(f"what every open run{of_these} holds in {target} fits")
    print_elsewhere(checked.elsewhere)
