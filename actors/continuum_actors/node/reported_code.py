"""What a node reports about its code, for people who ask why nothing continues a run."""

from __future__ import annotations

from continuum.journal.node_code import NodeCode
from continuum.journal.version_facts import Loaded
from continuum.release import release
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits


def reported_code(
    code: Code, settings: Settings, *, executes: bool = True, performs: bool = True
) -> NodeCode:
    """Return the code of a node that executes runs, and performs activity tasks, unless it does not."""
    return NodeCode(
        release(),
        loaded_or_stored(code) if executes else [],
        sorted(code.activities) if performs else [],
        sorted(settings.queues.items()),
        limits.UNLISTED_QUEUE_LIMIT,
        settings.active_runs if executes else 0,
        sorted(
            (name, attempts)
            for name, activity in code.activities.items()
            if (attempts := activity.defaults.retry.max_attempts) > 1
        ),
    )


def loaded_or_stored(code: Code) -> list[Loaded]:
    """Return what is loaded, or may be: hosts load earlier versions of pinned code from the journal."""
    return [
        each._replace(takes_others=each.takes_others or code.workflows[each.workflow].on_change == "pin")
        for each in code.loaded
    ]
