"""`continuum repair`."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from continuum.cli.changes import changing_options, recorder, yes_option
from continuum.cli.completed_words import given, run_ids
from continuum.cli.database import Target, ask_journal, database_options, json_option
from continuum.cli.ground_repair import repair_function, repair_index_of
from continuum.cli.repair_dialogue import Asked, Preview, agree, say
from continuum.journal.audit_facts import ChangeOutcome
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.doctor_codes import DOCTOR_CODES
from continuum.operations.function_repair import FUNCTION_CODE
from continuum.operations.index_repair import INDEX_CODES
from continuum.operations.repair import OF_WORKERS, plan_repair
from continuum.operations.repair import repair as repaired
from continuum.verify.rules import RULES


def _codes(_context: click.Context, _parameter: click.Parameter, beginning: str) -> list[CompletionItem[str]]:
    """Complete the code of what a repair looks at, with what always holds or what is wrong."""
    found = {code: rule.says for code, rule in RULES.items()}
    found |= {code: DOCTOR_CODES[code].meaning for code in (*sorted(INDEX_CODES), FUNCTION_CODE)}
    return [CompletionItem(code, help=says) for code, says in found.items() if code.startswith(beginning)]


def _subjects(
    context: click.Context, parameter: click.Parameter, beginning: str
) -> list[CompletionItem[str]]:
    """Complete the id of the run that a finding is about."""
    code = (given(context, "code") or "").replace("_", "-")
    return run_ids(context, parameter, beginning) if code in RULES and code not in OF_WORKERS else []


@click.command(short_help="Mend what a check has found.")
@click.argument("code", shell_complete=_codes)
@click.argument("subject", shell_complete=_subjects)
@yes_option
@changing_options
@json_option
@database_options
def repair(
    code: str, subject: str, yes: bool, actor: Actor, as_json: bool, dsn: str | None, schema: str
) -> None:
    """Mend the finding CODE of SUBJECT: a run or the number of a worker, as `continuum verify` names them,
    or an index or a function, as `continuum doctor` names them.

    It first says what it finds and what it would change, and asks. Then it looks again, under the locks that
    nodes take: done, already (nothing is damaged), or stale (it is not as it was seen, and nothing happens).
    It works while nodes run. Without anything that a repair may decide it says what only you can.
    """
    target = Target(dsn, schema)
    asked = Asked(target, code.replace("_", "-"), subject, actor, yes=yes, as_json=as_json)
    if asked.code in INDEX_CODES:
        repair_index_of(asked)
    elif asked.code == FUNCTION_CODE:
        repair_function(asked)
    else:
        _repair_stored(asked)


def _repair_stored(asked: Asked) -> None:
    plan = ask_journal(asked.target, lambda journal: plan_repair(journal, asked.code, asked.subject))
    preview = Preview(plan.code, plan.subject, plan.findings, plan.steps, plan.left)
    agree(asked, preview)

    async def repairing(journal: Journal) -> ChangeOutcome:
        return await repaired(journal, plan, record=recorder(asked.actor, journal.now()))

    say(asked, preview, ask_journal(asked.target, repairing))
