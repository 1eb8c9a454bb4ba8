"""Causes of runs that nothing executes any more: those that have ended, and those that are blocked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.facts import InboxKind, RunState
from continuum.operations.explanation import Cause, Explanation, Fix
from continuum.operations.scene import REASON_CHARACTERS, Scene, moment, optional_moment
from continuum.quoting import one_line

# Only an unblocked run can compensate. One without a history has nothing to compensate.
STOP_LATER = "to stop it: it compensates once it is unblocked"
GIVE_UP = "to give it up: it ends now and compensates nothing"
GIVE_UP_UNBEGUN = "to give it up: it ends now, and has nothing to compensate"
# What must be mended before a blocked run is tried again, by the code of its cause.
_UNBLOCKED_ONCE = {
    "drift": "once a running node has code that continues it",
    "input": "once a running node has code that reads its input",
    "poison": "once a running node has mended code",
    "corrupt": "once it is restored",
}


def ended(scene: Scene) -> Cause:
    """Return how a run has ended; for a failure, in which child it began."""
    run = scene.run
    since = run.updated_at if run.completed_at is None else run.completed_at
    when = f"at {moment(since)}"
    fixes: Sequence[Fix] = ()
    evidence: dict[str, Any] = {}
    match run.state:
        case RunState.FAILED:
            kind, text, traceback = _error(run.error)
            said = f"{text}\n{traceback}"
            sentence = f"it failed {when} with {kind}: {one_line(text)}"
            evidence = {"type": kind, "message": text}
            # Code may have handled the failure of a child, and failed by itself later.
            named = scene.history.failed_child or ""
            if (child := scene.children.get(named)) is not None and named in said:
                root = _root_of(child)
                evidence["root"] = root
                sentence += f"; the failure began in its child {root['run']} of {root['workflow']}"
            fixes = scene.ways_on
        case RunState.CANCELLED:
            by_parent = run.reason == "parent_cancelled"
            sentence = f"it was cancelled {when}{', by the end of its parent' if by_parent else ''}"
            evidence = {"by_parent": by_parent}
            fixes = scene.ways_on
        case RunState.CONTINUED:
            sentence = f"it continued as {run.continued_to} {when}"
            evidence = {"continued_to": run.continued_to}
            fixes = (Fix(f"continuum explain {run.continued_to}"),)
        case _:
            sentence = f"it completed {when}"
    return Cause("ended", sentence, optional_moment(since), evidence, fixes=tuple(fixes))


def _root_of(child: Explanation) -> dict[str, Any]:
    """Return the child in which a failure began, and its error."""
    evidence = child.causes[0].evidence
    if "root" in evidence:
        root: dict[str, Any] = evidence["root"]
        return root
    return {
        "run": child.run_id,
        "workflow": child.workflow,
        "type": evidence.get("type"),
        "message": evidence.get("message"),
    }


def _error(stored: bytes | None) -> tuple[str, str, str]:
    """Return type, message and traceback."""
    try:
        kind, text, *more = unpack_body(stored or b"")
        return str(kind), str(text), str(more[0]) if more else ""
    except (CorruptBody, ValueError):
        return "an error", "it cannot be read", ""


def blocked(scene: Scene) -> Cause:
    """Return what blocks a run."""
    run = scene.run
    fault = run.fault
    code = "corrupt" if fault is None or fault.kind not in _UNBLOCKED_ONCE else fault.kind
    evidence: dict[str, Any] = {"reason": run.reason, "deaths": scene.situation.deaths}
    if fault is not None:
        evidence |= {name: value for name, value in fault._asdict().items() if value is not None}
    if scene.situation.refusals:
        evidence["refused_by"] = [refusal.version for refusal in scene.situation.refusals]
    wakes = "a node that starts with other code" if code in ("drift", "input") else None
    sentence = (
        f"it is blocked by {one_line(run.reason or 'something that is not recorded', REASON_CHARACTERS)}"
    )
    asked, asked_at = scene.cancel_requested_at
    if asked:
        when = "" if asked_at is None else f" at {moment(asked_at)}"
        sentence += f"; it was asked to stop{when}, and compensates once it is unblocked"
        if asked_at is None and any(kind == InboxKind.SIGNAL for kind, _ in scene.situation.mail):
            sentence += ", unless a signal that came before ends it first"
        evidence["asked_to_stop"] = True
    fixes = tuple(_ways_out(scene, code, asked=asked))
    return Cause(code, sentence, optional_moment(run.updated_at), evidence, wakes, None, fixes)


def _ways_out(scene: Scene, code: str, *, asked: bool) -> Iterator[Fix]:
    """Yield what a person may do about a blocked run."""
    # It may have no event that can be read.
    begun = bool(scene.situation.events or scene.ways_on)
    unblock = Fix(f"continuum runs unblock {scene.run.id}", _UNBLOCKED_ONCE[code])
    if begun or asked:
        yield unblock
        if code == "corrupt":
            yield from scene.ways_on
        elif not asked:
            yield scene.cancel(STOP_LATER)
        yield scene.cancel("to end it as it is" if code == "corrupt" else GIVE_UP, force=True)
    elif code == "input":
        yield scene.cancel(f"{GIVE_UP_UNBEGUN}; start it again with what the code takes")
        yield unblock
    else:
        yield unblock
        yield scene.cancel(GIVE_UP_UNBEGUN)
