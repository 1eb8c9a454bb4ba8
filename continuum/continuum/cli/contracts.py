"""`continuum contracts`: what workflows take and return, and whether what open runs hold still fits."""

from __future__ import annotations

import json

import click

from continuum.contracts.documents import contracts_document
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


@click.group(cls=_ShowsByDefault, no_args_is_help=False)
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
