"""The id of a run on the command line: whole, or as a beginning that no other run's id has."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import click
from click.shell_completion import CompletionItem

from continuum.cli.completed_words import given, run_ids
from continuum.cli.database import Target, ask_journal
from continuum.client.instances import DEFAULT_SCHEMA
from continuum.errors import RunNotFound
from continuum.journal.facts import Query, RunRow
from continuum.journal.port import Journal
from continuum.quoting import quoted

# Ids begin with the time of their start. Eight digits are about a minute of it: enough where few runs start,
# and one index range anywhere.
LEAST_DIGITS, ALL_DIGITS = 8, 32
# More candidates than these nobody compares.
CANDIDATES = 5
_HEX = re.compile("[0-9a-f]+")


class RunIdType(click.ParamType[str]):
    """The id of a run; an option --dsn, --schema or --namespace must be eager, to be known before."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Return the ids of the latest runs that begin like this."""
        return run_ids(ctx, param, incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the whole id of a run; what is no beginning of an id as it is, to be refused later."""
        text = str(value)
        digits = text.lower().replace("-", "")
        if ctx is None or given(ctx, "path") is not None or not _HEX.fullmatch(digits):
            return text
        if len(digits) >= ALL_DIGITS or ctx.resilient_parsing:
            return text
        target = Target(given(ctx, "dsn"), given(ctx, "schema") or DEFAULT_SCHEMA)
        try:
            return whole_id(target, text, given(ctx, "namespace"))
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)


def whole_id(target: Target, text: str, namespace: str | None) -> str:
    """Return the id of the run, in a namespace if one is given, that begins with these hexadecimal digits.

    `RunNotFound` if there is none, `click.BadParameter` if there are several or the beginning is too short.
    """
    digits = text.lower().replace("-", "")
    if len(digits) < LEAST_DIGITS:
        raise click.BadParameter(
            f"{quoted(text)} is too short; give {LEAST_DIGITS} characters of the id or more"
        )
    bounds = [
        ("id", operator, str(UUID(digits.ljust(ALL_DIGITS, filling))))
        for operator, filling in (("ge", "0"), ("le", "f"))
    ]
    question = Query(namespace, bounds, ("id", False), CANDIDATES + 1, None, payloads=False)

    async def finding(journal: Journal) -> list[RunRow]:
        found = await journal.query(question)
        if not found:
            raise RunNotFound(text, namespace=namespace)
        return list(found)

    found = ask_journal(target, finding, read_only=True)
    if len(found) > 1:
        some = ", ".join(_candidate(row) for row in found[:CANDIDATES])
        more = " and more" if len(found) > CANDIDATES else ""
        raise click.BadParameter(
            f"several runs have an id that begins with {text}: {some}{more}; give more of it"
        )
    return found[0].id


RUN = RunIdType()


def _candidate(row: RunRow) -> str:
    return f"{row.id} ({row.workflow}, {row.state.name.lower()})"
