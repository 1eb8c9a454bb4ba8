"""`BulkChange`: one change of all runs that a search finds; its preview, and the operation that makes it.

A preview has a digest, which names the change and the time of the preview. The operation is begun with that
digest, so it is of what was shown, and spares runs that started later. It is the same operation however often
it is begun.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from continuum.codec.codec import encode
from continuum.definitions.attributes import checked_attributes
from continuum.definitions.name_rules import NAME_BYTES, short_text
from continuum.errors import InvalidOption, InvalidQuery
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunState
from continuum.journal.operation_facts import NewOperation, RunCount
from continuum.journal.operation_port import Operations
from continuum.journal.port import Connection, Histories, Runs, Versions
from continuum.operations.actor import Actor
from continuum.operations.bulk_action import BulkAction
from continuum.operations.bulk_arguments import action_named, check_rate, check_taken, cut_arguments
from continuum.operations.search import Condition, search_of
from continuum.quoting import quoted

# A run that has continued, as new or after a reset, is no more: the latest run of its chain counts.
_LATEST: Condition = ("continued_to", "eq", None)
# The end of a run that is reset or restarted is one of the others.
_NEVER_RESET = frozenset(RunState) - {RunState.FAILED, RunState.CANCELLED}


class OperatedJournal(Operations, Runs, Histories, Versions, Connection, Protocol):
    """Operations, and the runs that they change with their histories and versions."""


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What is done, and to which runs: those of the namespace, None for all, that the search finds."""

    action: BulkAction
    search: str
    namespace: str | None
    arguments: Mapping[str, Any]
    payload: bytes | None

    def digest(self, until: int) -> str:
        """Return what a preview at this time is called."""
        return f"{until:x}-{self._hash(until).hex()[:16]}"

    def operation(self, digest: str, actor: Actor, expected: str, rate: float | None) -> NewOperation:
        """Return the operation of a preview; `InvalidOption` if its digest is of something else."""
        try:
            until = int(digest.partition("-")[0], 16) if isinstance(digest, str) else -1
        except ValueError:
            until = -1
        if until < 0 or self.digest(until) != digest:
            raise InvalidOption(
                f"{quoted(digest)} is not the digest of a preview of this change, and nothing was changed; "
                "preview it again, with the same action, arguments, search and namespace"
            )
        check_rate(rate)
        return NewOperation(
            str(uuid.UUID(bytes=self._hash(until)[:16], version=5)),
            self.action.name,
            self.arguments,
            self.payload,
            self.search,
            self.namespace,
            until,
            expected,
            rate,
            actor.name,
            actor.via,
            actor.reason,
        )

    def _hash(self, until: int) -> bytes:
        parts = [self.action.name, self.search, self.namespace, self.arguments, until]
        text = json.dumps(parts, sort_keys=True).encode()
        return hashlib.sha256(text + b"\0" + (self.payload or b"")).digest()


def bulk_change(
    action: str,
    search: str,
    *,
    namespace: str | None = None,
    signal: str | None = None,
    value: object = None,
    attributes: Mapping[str, Any] | None = None,
    event: int | None = None,
    signals: str = "again",
) -> BulkChange:
    """Return a change after checking all of it; `InvalidQuery` and `InvalidOption` say what is wrong."""
    if not search_of(search).terms:
        raise InvalidQuery("an empty search finds every run; write state:open, say, if you mean all of them")
    known = action_named(action)
    given = {"signal": signal, "value": value, "attributes": attributes, "at": event}
    check_taken(known, given | {"signals": None if signals == "again" else signals})
    arguments: dict[str, Any] = {"recorded_as": known.recorded_as.value}
    payload = None
    if action == "cancel":
        payload = pack_body(())
    elif action == "signal":
        arguments["signal"] = short_text(signal, "the name of a signal", most=NAME_BYTES)
        payload = pack_body((encode(value, path=f"signal {signal}"),))
    elif action == "attributes":
        arguments["attributes"] = dict(checked_attributes(attributes or {}))
    elif known.cuts is not None:
        arguments |= cut_arguments(known.cuts, event, signals)
    within = None if namespace is None else short_text(namespace, "namespace")
    return BulkChange(known, search, within, arguments, payload)


def conditions(search: str, namespace: str | None, now: int) -> list[Condition]:
    """Return what holds for the runs of a change: found by the search, each the latest of its chain."""
    return [*_found(search, namespace, now), _LATEST]


def left_out(search: str, namespace: str | None, now: int) -> list[Condition] | None:
    """Return what holds for the runs that a search finds and that were restarted or reset; None if for none.

    A change leaves them out. Runs that have continued as new are not among them: they have another state.
    """
    terms = search_of(search).terms
    if any(term.field == "continued_to" for term in terms):
        return None
    states = [set(term.value) for term in terms if term.field == "state"]
    if any(chosen <= _NEVER_RESET for chosen in states):
        return None
    return [
        *_found(search, namespace, now),
        ("continued_to", "ne", None),
        ("state", "in", [RunState.FAILED, RunState.CANCELLED]),
    ]


def _found(search: str, namespace: str | None, now: int) -> list[Condition]:
    within: list[Condition] = [] if namespace is None else [("namespace", "in", [namespace])]
    return [*search_of(search).conditions(now), *within]


def count_text(counted: RunCount) -> str:
    """Return a count in words."""
    runs = f"{counted.number:,} run{'' if counted.number == 1 else 's'}"
    if not counted.more:
        return runs
    if counted.looked_at is None:
        return f"more than {runs}"
    return f"at least {runs}, of the first {counted.looked_at:,} that were looked at"
