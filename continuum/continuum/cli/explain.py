"""`continuum explain`."""

from __future__ import annotations

import click

from continuum.cli.database import Target, ask, database_options, json_option, namespace_option
from continuum.cli.printing import escaped, shown_command
from continuum.cli.repeatable_commands import repeated
from continuum.cli.run_ids import RUN
from continuum.client import Cause, Explanation
from continuum.client.namespaces import InNamespace
from continuum.operations.json_text import to_json


@click.command(short_help="Say why RUN is where it is, who wakes it and when.")
@click.argument("run", type=RUN)
@namespace_option
@json_option
@database_options
def explain(run: str, namespace: InNamespace, as_json: bool, dsn: str | None, schema: str) -> None:
    """Say why RUN is where it is, who wakes it and when, and which commands help.

    It needs no workflow code, changes nothing, and works while no node runs. The runbook has a section for
    each code. A command with VALUE in it needs something that only you know, and one with PASSWORD that of
    your --dsn.
    """
    target = Target(dsn, schema)
    found = ask(target, lambda client: client.explain(run, namespace=namespace))
    found = found.with_commands(lambda command: repeated(target, command))
    click.echo(to_json(found) if as_json else _text(found))


def _text(found: Explanation) -> str:
    lines = [f"run {found.run_id} of {found.workflow} is {found.state}"]
    for cause in found.causes:
        lines += ["", f"{cause.code}: {cause.sentence}", *_further(cause)]
    return "\n".join(map(escaped, lines))


def _further(cause: Cause) -> list[str]:
    lines = []
    if cause.wakes_by is not None:
        when = "" if cause.wakes_at is None else f", at {cause.wakes_at.isoformat(timespec='seconds')}"
        lines.append(f"  woken by  {cause.wakes_by}{when}")
    fixes = (
        (shown_command(fix.command), "" if fix.when is None else f"   ({fix.when})") for fix in cause.fixes
    )
    return lines + [f"  fix       {command}{when}" for command, when in fixes]
