"""Drift on a terminal: journal and code beside each other, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from continuum.cli.printing import print_table
from continuum.drift.comparison import Row
from continuum.drift.deploy_check import Finding, Judgement


def print_judgement(judged: Judgement) -> None:
    """Print what a deploy would leave behind."""
    if judged.findings:
        _print_findings(judged.findings)
    else:
        click.echo(f"every {'other ' if judged.elsewhere else ''}open run would go on")
    print_elsewhere(judged.elsewhere)


def print_elsewhere(runs: Mapping[str, int]) -> None:
    """Tell whose open runs were not judged: among them may be a workflow that got lost."""
    if runs:
        named = ", ".join(f"{workflow} ({count})" for workflow, count in sorted(runs.items()))
        click.echo(f"not judged, because no node loaded them from these modules: {named}", err=True)


def _print_findings(found: Sequence[Finding]) -> None:
    print_table(
        ("run", "workflow", "problem", "event", "journal", "code", "where"),
        [
            (
                finding.run_id,
                finding.workflow,
                finding.problem,
                "" if finding.sides is None else str(finding.sides.position),
                finding.reason if finding.sides is None else finding.sides.journal,
                "" if finding.sides is None else finding.sides.code,
                "" if finding.sides is None else finding.sides.where,
            )
            for finding in found
        ],
    )
    # Runs of one kind part in the same place.
    for suggestion in dict.fromkeys(finding.suggestion for finding in found if finding.suggestion):
        click.echo(f"\nsuggested, so that old runs go on:\n\n{suggestion}")
    click.echo(f"\n{len(found)} open run{'' if len(found) == 1 else 's'} would not go on", err=True)


def finding_facts(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON."""
    sides = finding.sides
    return {
        "run_id": finding.run_id,
        "workflow": finding.workflow,
        "version": finding.version,
        "problem": finding.problem,
        "reason": finding.reason,
        "event": None if sides is None else sides.position,
        "journal": None if sides is None else sides.journal,
        "code": None if sides is None else sides.code,
        "where": None if sides is None else sides.where,
        "line": finding.line,
        "suggestion": finding.suggestion,
    }


def print_drift(found: Sequence[tuple[str, Sequence[Row]]]) -> None:
    """Print what `drift_of` has found."""
    for reason, rows in found:
        click.echo(f"\n{reason}")
        if rows:
            print_table(
                ("event", "", "journal", "code"),
                [(str(row.seq), "≠" if row.differs else "", row.journal, row.code) for row in rows],
            )
