"""Prints drift: journal and code side by side, and the suggested patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from continuum.cli.printing import print_table, say
from continuum.client.runs import RunFault
from continuum.drift.deploy_check import CheckedRuns, Finding
from continuum.drift.run_report import Problem, Refused


def print_checked_runs(checked: CheckedRuns, place: str) -> None:
    """Print the open runs that a deploy would leave behind; if there are none, where they were looked for."""
    if checked.findings:
        _print_findings(checked.findings)
    else:
        of_these = " of these modules" if checked.elsewhere else ""
        click.echo(f"every open run{of_these} would continue in {place}")
    print_elsewhere(checked.elsewhere)


def print_elsewhere(runs: Mapping[str, object]) -> None:
    """Print which workflows' open runs were not checked: one of them may have lost its code."""
    if runs:
        named = ", ".join(f"{workflow} ({count})" for workflow, count in sorted(runs.items()))
        say(f"not checked, because no node loaded them from these modules: {named}", err=True)


def _print_findings(found: Sequence[Finding]) -> None:
    print_table(
        ("run", "workflow", "problem", "event", "journal", "code", "where"),
        [
            (
                finding.run_id,
                finding.workflow,
                finding.problem,
                "" if finding.mismatch is None else str(finding.mismatch.position),
                finding.reason if finding.mismatch is None else finding.mismatch.journal,
                "" if finding.mismatch is None else finding.mismatch.code,
                "" if finding.mismatch is None else finding.mismatch.where,
            )
            for finding in found
        ],
    )
    # Runs of one workflow often differ in the same place, so print each suggestion once.
    for suggestion in dict.fromkeys(finding.suggestion for finding in found if finding.suggestion):
        say(f"\nsuggested, so that old runs continue:\n\n{suggestion}")
    click.echo(f"\n{len(found)} open run{'' if len(found) == 1 else 's'} would not continue", err=True)


def finding_facts(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON."""
    mismatch = finding.mismatch
    return {
        "run_id": finding.run_id,
        "workflow": finding.workflow,
        "version": finding.version,
        "problem": finding.problem,
        "reason": finding.reason,
        "event": None if mismatch is None else mismatch.position,
        "journal": None if mismatch is None else mismatch.journal,
        "code": None if mismatch is None else mismatch.code,
        "where": None if mismatch is None else mismatch.where,
        "line": finding.line,
        "suggestion": finding.suggestion,
    }


def problem_facts(problem: Problem) -> dict[str, Any]:
    """Return a problem for JSON; `diff` has the rows that the text shows as a table."""
    return {
        "version": problem.version,
        "reason": problem.reason,
        "fault": None if problem.fault is None else RunFault(*problem.fault),
        "diff": [
            {"event": row.seq, "journal": row.journal, "code": row.code, "differs": row.differs}
            for row in problem.rows
        ],
    }


def print_problems(problems: Sequence[Problem], known: str | None = None) -> None:
    """Print why a run cannot continue, each sentence with its diff; the reason of the run is `known`."""
    for problem in problems:
        refused = f"version {problem.version} was refused: " if isinstance(problem, Refused) else ""
        if refused or problem.reason != known:
            say(f"\n{refused}{problem.reason}")
        elif problem.rows:
            click.echo()
        if problem.rows:
            print_table(
                ("event", "", "journal", "code"),
                [(str(row.seq), "≠" if row.differs else "", row.journal, row.code) for row in problem.rows],
            )
