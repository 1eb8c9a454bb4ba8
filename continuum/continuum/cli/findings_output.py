"""Prints findings of `health` and `doctor`."""

from __future__ import annotations

from typing import Any

import click

from continuum.cli.printing import escaped, shown_command
from continuum.journal.untyped_values import at
from continuum.operations.findings import Finding


def print_finding(finding: Finding) -> None:
    """Print a finding with the commands that mend it."""
    click.echo(f"{finding.severity}  {finding.code}  {finding.fingerprint}  {escaped(finding.subject)}")
    since = "" if finding.since is None else f" (since {at(finding.since).isoformat(timespec='seconds')})"
    click.echo(f"    {escaped(finding.sentence)}{since}")
    for fix in finding.fixes:
        click.echo(f"    sql> {fix}" if fix.endswith(";") else f"    $ {shown_command(fix)}")


def finding_facts(finding: Finding) -> dict[str, Any]:
    """Return a finding as it is printed with --json."""
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "subject": finding.subject,
        "since": None if finding.since is None else at(finding.since),
        "count": finding.count,
        "more": finding.more,
        "sentence": finding.sentence,
        "fixes": list(finding.fixes),
        "fingerprint": finding.fingerprint,
    }
