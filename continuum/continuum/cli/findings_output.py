"""Prints findings of `health` and `doctor`."""

from __future__ import annotations

from typing import Any

import click

from continuum.cli.database import Target
from continuum.cli.printing import escaped, shown_command
from continuum.cli.repeatable_commands import all_repeated
from continuum.journal.untyped_values import at
from continuum.operations.findings import Finding


def print_finding(target: Target, finding: Finding) -> None:
    """Print a finding with the commands that mend it."""
    click.echo(f"{finding.severity}  {finding.code}  {finding.fingerprint}  {escaped(finding.subject)}")
    since = "" if finding.since is None else f" (since {at(finding.since).isoformat(timespec='seconds')})"
    click.echo(f"    {escaped(finding.sentence)}{since}")
    for fix in all_repeated(target, finding.fixes):
        click.echo(f"    sql> {fix}" if fix.endswith(";") else f"    $ {shown_command(fix)}")


def finding_facts(target: Target, finding: Finding) -> dict[str, Any]:
    """Return a finding as it is printed with --json."""
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "subject": finding.subject,
        "since": None if finding.since is None else at(finding.since),
        "count": finding.count,
        "more": finding.more,
        "sentence": finding.sentence,
        "fixes": all_repeated(target, finding.fixes),
        "fingerprint": finding.fingerprint,
    }
