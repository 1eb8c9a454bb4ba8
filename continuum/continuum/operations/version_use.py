"""`version_uses`: what still needs each version of the code of workflows, and who can continue its runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from continuum.journal.facts import NodeRow
from continuum.journal.port import VersionRow
from continuum.journal.untyped_values import at


@dataclass(frozen=True, slots=True)
class VersionUse:
    """A version, the open runs that have it, and the living nodes that continue them.

    `loaded_by` have exactly this version, `tried_by` another one that may repeat its histories. New runs get
    the `latest`. One that is `removable` is needed by no run, now or later. `registered_at` is None for a
    version that runs have and no node has registered.
    """

    workflow: str
    label: str
    version: str
    module: str
    registered_at: datetime | None
    open_runs: int
    more_open_runs: bool
    latest: bool
    removable: bool
    loaded_by: Sequence[str]
    tried_by: Sequence[str]


def version_uses(rows: Iterable[VersionRow], nodes: Iterable[NodeRow]) -> list[VersionUse]:
    """Return the use of each version, by workflow, the latest first."""
    ordered = sorted(rows, key=by_age)
    removable = {(row.workflow, row.version) for row in unused_versions(ordered)}
    latest = {row.workflow: row.version for row in ordered}
    living = [node for node in nodes if node.state == "up" and node.code is not None]
    found = []
    for row in reversed(ordered):
        loaded, tried = [], []
        for node in living:
            code = node.code
            assert code is not None, "nodes without it are left out"
            if any(each.workflow == row.workflow and each.version == row.version for each in code.loaded):
                loaded.append(node.node)
            elif code.may_execute(row.workflow, row.version):
                tried.append(node.node)
        found.append(
            VersionUse(
                row.workflow,
                row.label,
                row.version,
                row.module,
                at(row.registered_at) if row.registered_at else None,
                row.open_runs,
                row.more_open_runs,
                latest[row.workflow] == row.version,
                (row.workflow, row.version) in removable,
                loaded,
                tried,
            )
        )
    return sorted(found, key=lambda use: use.workflow)


def unused_versions(rows: Iterable[VersionRow]) -> list[VersionRow]:
    """Return the versions without open runs, except the latest of each workflow, which new runs will use."""
    latest: dict[str, VersionRow] = {}
    unused: list[VersionRow] = []
    for row in sorted(rows, key=by_age):
        previous = latest.get(row.workflow)
        if previous is not None and not previous.open_runs:
            unused.append(previous)
        latest[row.workflow] = row
    return unused


def by_age(row: VersionRow) -> tuple[str, int, str]:
    """Return the place of a version in the order of workflows, and of age within each."""
    return row.workflow, row.registered_at, row.version
