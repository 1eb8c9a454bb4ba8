"""Claimed runs from the rows of a claim."""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import Any

from continuum.journal.facts import ClaimedRun


def claimed_run(row: Sequence[Any]) -> ClaimedRun:
    """Return the run that the first columns of a row describe; runs share the names they have in common."""
    run_id, token, workflow, version, namespace = row[:5]
    return ClaimedRun(run_id, token, intern(workflow), intern(version), intern(namespace), *row[5:13])
