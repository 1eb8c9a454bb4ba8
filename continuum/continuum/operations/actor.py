"""`Actor`: who makes changes, through what, and why; and `Recorder`, which makes the facts about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from continuum.definitions.name_rules import short_text
from continuum.engine.ids import RUN_ID_RANDOM_BYTES, new_run_id
from continuum.journal.announced_run import NewRun
from continuum.journal.audit_facts import Action, AuditFacts

# A reason is a sentence, not a report.
REASON_BYTES = 1_000
# More than the longest name of a version of a workflow, and less than what fits into an index.
SUBJECT_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Actor:
    """The person who makes changes. `via` is ``cli``, ``python`` or ``web``; `reason` is why, in a line."""

    name: str
    via: str = "python"
    reason: str | None = None

    def __post_init__(self) -> None:
        short_text(self.name, "the name of an actor")
        short_text(self.via, "via")
        if self.reason is not None:
            short_text(self.reason, "a reason", most=REASON_BYTES)


def actor_name(given: str | None, environment: Mapping[str, str], account: Callable[[], str]) -> str:
    """Return the name given, else that of CONTINUUM_ACTOR, else the account."""
    if given is not None:
        return given
    return environment.get("CONTINUUM_ACTOR") or account()


class Recorder:
    """Makes the facts that are recorded of an actor's changes; without an actor nothing is recorded."""

    def __init__(self, actor: Actor | None, fresh_id: Callable[[], str]) -> None:
        self.actor = actor
        self._fresh_id = fresh_id

    def __call__(self, action: Action, subject: str, **arguments: Any) -> AuditFacts | None:
        """Return the facts about a change of `subject`; of values only the sizes: see `redacted`."""
        if self.actor is None:
            return None
        return AuditFacts(
            self._fresh_id(),
            self.actor.name,
            self.actor.via,
            action,
            subject.encode()[:SUBJECT_BYTES].decode(errors="ignore"),
            redacted(arguments),
            self.actor.reason,
        )

    def started(self, run: NewRun) -> NewRun:
        """Return a run to start with the facts about its start."""
        if self.actor is None:
            return run
        facts = self(
            Action.START,
            run.id,
            workflow=run.workflow,
            namespace=run.namespace,
            input=run.input,
            attributes=run.attributes,
        )
        return replace(run, audit=facts)

    def by(self, actor: Actor) -> Recorder:
        """Return the recorder of another actor."""
        return Recorder(actor, self._fresh_id)


def recorder_at(actor: Actor, now: int, randomness: Callable[[int], bytes]) -> Recorder:
    """Return what records an actor's changes of the journal itself, whose time is `now`."""
    return Recorder(actor, lambda: new_run_id(now, randomness(RUN_ID_RANDOM_BYTES)))


def redacted(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as they are recorded: names and numbers as they are, of values only their sizes.

    Bytes are encoded values. A map holds values under their names; an empty one is left out.
    """
    recorded: dict[str, Any] = {}
    for name, value in arguments.items():
        match value:
            case bytes():
                recorded[name] = {"bytes": len(value)}
            case Mapping():
                if value:
                    recorded[name] = {key: {"bytes": _json_bytes(item)} for key, item in value.items()}
            case _:
                recorded[name] = value
    return recorded


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
