"""What each repair says and asks: its preview, the question, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import click

from continuum.cli.changes import confirmed, declined
from continuum.cli.database import Target
from continuum.cli.printing import escaped
from continuum.journal.audit_facts import ChangeOutcome
from continuum.operations.actor import Actor
from continuum.operations.json_text import to_json

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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for."""

    target: Target
    code: str
    subject: str
    actor: Actor
    yes: bool
    as_json: bool


class Preview(NamedTuple):
    """What a repair finds and would do; `left` is what only a person can decide."""

    code: str
    subject: str
    findings: Sequence[str]
    steps: Sequence[str]
    left: Sequence[str] = ()


def agree(asked: Asked, preview: Preview) -> None:
    """Show a preview, and ask whether to do it; without anything to do there is no question."""
    if not asked.as_json:
        _print(preview)
    about = f"{preview.code} of {preview.subject}"
    if preview.steps and not confirmed("Do this?", about, yes=asked.yes):
        declined(f"{about}: nothing changed")


def say(asked: Asked, preview: Preview, outcome: ChangeOutcome) -> None:
    """Print what came of a repair."""
    if asked.as_json:
        click.echo(to_json({**preview._asdict(), "outcome": outcome.value}))
    elif outcome in _SAID:
        click.echo(_SAID[outcome].format(code=preview.code, subject=preview.subject))
    if outcome in _REFUSED:
        raise click.ClickException(_REFUSED[outcome].format(subject=preview.subject))


def _print(preview: Preview) -> None:
    for finding in preview.findings:
        click.echo(escaped(f"{preview.code}  {preview.subject}  {finding}"))
    for each in preview.steps:
        click.echo(escaped(f"    - {each}"))
    if preview.steps:
        for left in preview.left:
            click.echo(escaped(f"not by this: {left}"))
