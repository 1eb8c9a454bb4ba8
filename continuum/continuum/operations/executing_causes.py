"""Causes that lie with the execution of the code: it is under way, or the process that did so is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from continuum.journal.facts import RunState
from continuum.journal.untyped_values import at
from continuum.operations.explanation import Cause
from continuum.operations.run_history import OpenCall
from continuum.operations.scene import Scene, moment, optional_moment
from continuum.quoting import listed


def is_executing(scene: Scene, waits: Sequence[Cause]) -> bool:
    """Whether the owner executes the code of the run: it has it in hand, or unread mail for it."""
    in_hand = scene.run.state is RunState.RUNNING or bool(scene.situation.mail)
    elsewhere = any(cause.code == "activity_running" for cause in waits)
    return scene.owner is not None and in_hand and not elsewhere


def executing(scene: Scene) -> Cause:
    """Return that the code of the run is being executed by its owner."""
    run = scene.run
    since = run.updated_at if run.claimed_at is None else max(run.updated_at, run.claimed_at)
    unread = scene.unread()
    because = f" because of {listed(unread)}" if unread else ""
    return Cause(
        "executing",
        f"its code is executed by {scene.owner} since {moment(since)}{because}{scene.died}",
        at(since),
        {
            "node": run.owner_node,
            "pid": run.owner_pid,
            "attempt": scene.situation.attempt,
            "deaths": scene.situation.deaths,
            "unread": unread,
        },
        "its code",
    )


def interrupted(scene: Scene, call: OpenCall, where: str, facts: dict[str, Any]) -> Cause:
    """Return that the process that ran an attempt has lost its lease: the next owner begins it again."""
    return Cause(
        "activity_running",
        f"attempt {call.attempt} of activity {call.name} was under way in {where}, which has lost its lease; "
        f"it begins again with the next owner{scene.died}",
        optional_moment(call.since),
        {"activity": call.name, "seq": call.seq, "attempt": call.attempt, "where": where, **facts},
        scene.waker,
        None,
        (scene.cancel("to stop the attempt and the run"),),
    )
