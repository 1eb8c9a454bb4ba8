"""Causes that lie with people: a run, its workflow or namespace, or the queue of an activity is paused."""

from __future__ import annotations

from typing import Any

from continuum.journal.pause_facts import StoredPause
from continuum.journal.situation import TaskPlace
from continuum.journal.untyped_values import at
from continuum.operations.explanation import Cause, Fix
from continuum.operations.pause_words import paused_words, scope_options, scope_words
from continuum.operations.scene import Scene
from continuum.quoting import one_line


def paused(scene: Scene, pause: StoredPause) -> Cause:
    """Return that an open run is paused, by itself or with others."""
    named = "it" if pause.scope is None else scope_words(pause.scope)
    with_it = "" if pause.scope is None else ", and with it this run"
    return Cause(
        "paused",
        f"{named} is {_words(pause)}{with_it}",
        at(pause.since),
        _facts(scene, pause),
        "the person who resumes it",
        None,
        (_resume(scene, pause), scene.cancel("to stop it instead: that lifts the pause, and it compensates")),
    )


def paused_queue(scene: Scene, pause: StoredPause, task: TaskPlace) -> Cause:
    """Return that an activity waits in a queue that is paused."""
    return Cause(
        "paused",
        f"activity {task.activity} waits in queue {task.queue}, which is {_words(pause)}",
        at(pause.since),
        _facts(scene, pause) | {"activity": task.activity, "seq": task.seq},
        "the person who resumes the queue",
        None,
        (_resume(scene, pause), scene.cancel("to stop the run instead")),
    )


def _words(pause: StoredPause) -> str:
    return paused_words(at(pause.since), pause.by, None if pause.reason is None else one_line(pause.reason))


def _facts(scene: Scene, pause: StoredPause) -> dict[str, Any]:
    kind, name, namespace = pause.scope or ("run", scene.run.id, "")
    facts = {"kind": str(kind), "name": name, "namespace": namespace or None}
    return {**facts, "by": pause.by, "reason": pause.reason}


def _resume(scene: Scene, pause: StoredPause) -> Fix:
    if pause.scope is None:
        return Fix(f"continuum runs resume {scene.run.id}")
    return Fix(f"continuum resume {scope_options(pause.scope)}")
