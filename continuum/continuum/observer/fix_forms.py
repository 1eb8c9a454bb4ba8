"""From the command of a fix to the form that does the same: pure functions.

`form_of` knows the commands that change a run or end a pause. Any other stays a text to copy, and one that
only shows something becomes a link. `operations` gives each command exactly as it is typed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from continuum.observer.input_fields import InputField
from continuum.operations.explanation import Cause, Explanation, Fix

VALUE = "VALUE"
_SCOPES = ("workflow", "queue", "namespace")


@dataclass(frozen=True, slots=True)
class ActionForm:
    """A change that a button asks for: `values` are hidden, `fields` are filled in, `confirm` is typed."""

    action: str
    label: str
    values: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[InputField, ...] = ()
    confirm: str | None = None


@dataclass(frozen=True, slots=True)
class ShownFix:
    """A fix with the form that makes it, or the path of the page that shows what it shows."""

    command: str
    when: str | None
    form: ActionForm | None
    path: str | None


@dataclass(frozen=True, slots=True)
class ShownCause:
    """A cause with its fixes."""

    code: str
    sentence: str
    since: datetime | None
    evidence: Mapping[str, Any]
    wakes_by: str | None
    wakes_at: datetime | None
    fixes: tuple[ShownFix, ...]


@dataclass(frozen=True, slots=True)
class ShownExplanation:
    """Why a run is where it is."""

    run_id: str
    state: str
    sentence: str
    causes: tuple[ShownCause, ...]


def shown(found: Explanation, signals: Callable[[str], InputField]) -> ShownExplanation:
    """Return an explanation with the forms of its fixes; `signals` has the field of a signal's value."""
    causes = tuple(_shown_cause(cause, signals) for cause in found.causes)
    return ShownExplanation(found.run_id, found.state, found.sentence, causes)


def _shown_cause(cause: Cause, signals: Callable[[str], InputField]) -> ShownCause:
    fixes = tuple(
        ShownFix(fix.command, fix.when, form_of(fix, signals), path_of(fix.command)) for fix in cause.fixes
    )
    return ShownCause(
        cause.code, cause.sentence, cause.since, cause.evidence, cause.wakes_by, cause.wakes_at, fixes
    )


def form_of(fix: Fix, signals: Callable[[str], InputField]) -> ActionForm | None:
    """Return the form that makes a fix; None where only a shell can."""
    words, options = _parts(fix.command)
    match words, options:
        case ["cancel", run], {"force": _}:
            return ActionForm("force_cancel_run", "End it now", {"run": run}, confirm=run)
        case ["cancel", run], {}:
            return ActionForm("cancel", "Ask it to stop", {"run": run})
        case ["signal", run, name, "VALUE"], _:
            return ActionForm("signal_run", f"Send {name}", {"run": run, "signal": name}, (signals(name),))
        case ["runs", "reset", run], {"at": at}:
            return ActionForm("reset_run", f"Reset to event {at}", {"run": run, "at": at})
        case ["runs", "restart", run], _:
            return ActionForm("restart_run", "Restart from its failure", {"run": run})
        case ["runs", "unblock", run], _:
            return ActionForm("unblock_run", "Let nodes try it again", {"run": run})
        case ["runs", "resume", run], _:
            return ActionForm("resume_run", "Resume it", {"run": run})
        case ["resume"], scope if any(name in scope for name in _SCOPES):
            kind = next(name for name in _SCOPES if name in scope)
            values = {"kind": kind, "name": scope[kind]}
            if kind == "workflow" and "namespace" in scope:
                values["namespace"] = scope["namespace"]
            return ActionForm("resume_together", f"Resume {kind} {scope[kind]}", values)
        case _:
            return None


def path_of(command: str) -> str | None:
    """Return the path of the page that shows what a command prints."""
    words, _ = _parts(command)
    match words:
        case ["explain", run] | ["runs", "show", run]:
            return f"/runs/{run}"
        case ["runs", "history", run]:
            return f"/runs/{run}/history"
        case _:
            return None


def _parts(command: str) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the words of a command and its options, whose values are empty if they have none."""
    try:
        given = shlex.split(command)
    except ValueError:
        return [], {}
    words: list[str] = []
    options: dict[str, str] = {}
    place = 1 if given[:1] == ["continuum"] else len(given)
    while place < len(given):
        word = given[place]
        if word == "--":
            words += given[place + 1 :]
            break
        if not word.startswith("--"):
            words.append(word)
        elif word == "--force":
            options["force"] = ""
        elif place + 1 < len(given):
            options[word[2:]] = given[place + 1]
            place += 1
        place += 1
    # An observer shows one schema.
    options.pop("schema", None)
    return words, options
