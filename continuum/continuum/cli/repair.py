"""`continuum repair`."""

from __future__ import annotations

import click

from continuum.cli.changes import changing_options, confirmed, recorder, yes_option
from continuum.cli.database import Target, ask_journal, database_options, json_option
from continuum.cli.printing import escaped
from continuum.cli.values import to_json
from continuum.journal.audit_facts import ChangeOutcome
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.repair import RepairPlan, plan_repair
from continuum.operations.repair import repair as repaired

_SAID = {
    ChangeOutcome.DONE: "done: {code} of {subject} is mended",
    ChangeOutcome.ALREADY: "already: {subject} has no {code} that a repair mends",
}
_REFUSED = {
    ChangeOutcome.STALE: (
        "stale: {subject} has changed since the preview, and nothing was done; run the repair again"
    ),
    ChangeOutcome.NOT_FOUND: "run {subject} does not exist; `continuum runs list` shows those there are",
    ChangeOutcome.REFUSED: (
        "a process that lives owns run {subject} and would not notice; stop its node in order with "
        "`continuum nodes drain`, then run the repair again"
    ),
}


@click.command(short_help="Mend what a check has found.")
@click.argument("code")
@click.argument("subject")
@yes_option
@changing_options
@json_option
@database_options
def repair(
    code: str, subject: str, yes: bool, actor: Actor, as_json: bool, dsn: str | None, schema: str
) -> None:
    """Mend the finding CODE of SUBJECT, a run or the number of a worker, as `continuum verify` names them.

    It first says what it finds and what it would change, and asks. Then it looks again, under the locks that
    nodes take: done, already (nothing is damaged), or stale (it is not as it was seen, and nothing happens).
    It works while nodes run. Without anything that a repair may decide it says what only you can.
    """
    target = Target(dsn, schema)
    plan = ask_journal(target, lambda journal: plan_repair(journal, code, subject))
    if not as_json:
        _print(plan)
    if plan.seen and not confirmed("Do this?", f"{plan.code} of {plan.subject}", yes=yes):
        return

    async def repairing(journal: Journal) -> ChangeOutcome:
        return await repaired(journal, plan, record=recorder(actor, journal.now()))

    outcome = ask_journal(target, repairing)
    if as_json:
        said = {name: getattr(plan, name) for name in ("code", "subject", "findings", "steps", "left")}
        click.echo(to_json({**said, "outcome": outcome.value}))
    elif outcome in _SAID:
        click.echo(_SAID[outcome].format(code=plan.code, subject=plan.subject))
    if outcome in _REFUSED:
        raise click.ClickException(_REFUSED[outcome].format(subject=plan.subject))


def _print(plan: RepairPlan) -> None:
    for finding in plan.findings:
        click.echo(escaped(f"{plan.code}  {plan.subject}  {finding}"))
    for each in plan.steps:
        click.echo(escaped(f"    - {each}"))
    if plan.seen:
        for left in plan.left:
            click.echo(escaped(f"not by this: {left}"))
