"""`Scene`: everything that explains one run, and the questions that several causes ask of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from continuum.journal.facts import InboxKind, NodeRow, RunRow, RunState
from continuum.journal.limits import RENEWALS_IN_A_LEASE
from continuum.journal.lost_wake import lost_wake
from continuum.journal.silence import Silence
from continuum.journal.situation import Situation
from continuum.journal.untyped_values import at
from continuum.journal.version_facts import is_importable
from continuum.operations.explanation import Explanation, Fix
from continuum.operations.run_history import OpenCall, RunHistory, read_history
from continuum.quoting import listed

MICROSECONDS = 1_000_000
# A node renews its leases this often at least, however long they last.
LONGEST_RENEWAL_SECONDS = 5.0
CHILD_ANSWERS = (InboxKind.CHILD_COMPLETED, InboxKind.CHILD_FAILED, InboxKind.CHILD_CANCELLED)
# A reason ends in what to do, so it is cut only where the names in it are far too long.
REASON_CHARACTERS = 1000
# A renewal that is later than planned by half its pause and this much was not only slow.
LATE_SECONDS = 1.0


def renewal_pause(ttl: float) -> float:
    """Return how many seconds lie between two renewals of a lease of `ttl` seconds."""
    return min(ttl / RENEWALS_IN_A_LEASE, LONGEST_RENEWAL_SECONDS)


def is_late(silence: float, pause: float) -> bool:
    """Whether a silence of so many seconds is too long for renewals that come after each `pause`."""
    return silence > 1.5 * pause + LATE_SECONDS


def moment(microseconds: int) -> str:
    """Return a time as a sentence says it."""
    return at(microseconds).isoformat(timespec="seconds")


class Hang(NamedTuple):
    """A process that does not answer, and when it last did."""

    node: str
    pid: int
    since: int
    silence: Silence


@dataclass(slots=True)
class Scene:
    """A run's situation, the nodes, and why its children are where they are, by their ids.

    If it has failed, was cancelled or waits long for an attempt, `ways_on` are commands that let it continue.
    """

    situation: Situation
    nodes: Sequence[NodeRow]
    children: Mapping[str, Explanation] = field(default_factory=dict)
    ways_on: Sequence[Fix] = ()
    history: RunHistory = field(init=False)

    def __post_init__(self) -> None:
        self.history = read_history(self.situation.events)

    @property
    def run(self) -> RunRow:
        """The run's row."""
        return self.situation.run

    @property
    def now(self) -> int:
        """The journal's time."""
        return self.situation.now

    @property
    def running_nodes(self) -> list[NodeRow]:
        """The nodes that have a lease and have renewed it of late."""
        return [
            node
            for node in self.nodes
            if node.state != "lost" and not is_late(node.lease_age, LONGEST_RENEWAL_SECONDS)
        ]

    @property
    def silent_nodes(self) -> set[str]:
        """The nodes that give no sign of life, by name."""
        return {node.node for node in self.nodes} - {node.node for node in self.running_nodes}

    @property
    def having(self) -> list[NodeRow]:
        """The running nodes that have the workflow in some version and serve the namespace."""
        return [node for node in self.running_nodes if _has(node, self.run)]

    @property
    def serving(self) -> list[NodeRow]:
        """The running nodes that may execute the run, as far as is known."""
        refused = [refusal.version for refusal in self.situation.refusals]
        run = self.run
        return [
            node
            for node in self.having
            if node.code is None or node.code.may_execute(run.workflow, run.version, refused)
        ]

    @property
    def lost_wake(self) -> str | None:
        """What the run has to do and nothing will wake it for in time; None if it has an owner or is due."""
        run = self.run
        if run.owner is not None:
            return None
        return lost_wake(
            run.state,
            due_at=run.due_at,
            mail=sum(self.situation.mail.values()),
            attempt=self.situation.attempt,
            waits=run.waits,
            now=self.now,
        )

    def attempts_of(self, call: OpenCall) -> int | None:
        """Return how often an activity is tried, by its call or by running nodes; None if nobody knows."""
        if call.attempts is not None:
            return call.attempts
        told = {
            dict(node.code.attempts).get(call.name) for node in self.running_nodes if node.code is not None
        }
        told.discard(None)
        return told.pop() if len(told) == 1 else None

    def capacity_of(self, name: str) -> int | None:
        """Return how many runs a node executes at once, None if that is not known."""
        node = next((node for node in self.nodes if node.node == name), None)
        if node is None or node.code is None or node.code.active_runs is None:
            return None
        hosts = sum(role == "run_host" for role, _ in node.processes)
        return node.code.active_runs * max(1, hosts)

    def room_of(self, node: NodeRow) -> int | None:
        """Return how many more runs a node executes, None if that is not known."""
        capacity = self.capacity_of(node.node)
        return None if capacity is None else capacity - self.situation.active.get(node.node, 0)

    @property
    def able_to_take_over(self) -> list[str]:
        """The nodes that may execute the run once its owner is gone: also the owner's, by another process."""
        run = self.run
        return [
            node.node
            for node in self.serving
            if node.node != run.owner_node
            or any(role == "run_host" and pid != run.owner_pid for role, pid in node.processes)
        ]

    @property
    def named_version(self) -> str:
        """The version that began the run, with its label if nodes have registered that."""
        labels = {known.version: known.label for known in self.situation.versions}
        label = labels.get(self.run.version or "")
        return f"version {label} ({self.run.version})" if label else f"version {self.run.version}"

    @property
    def silence(self) -> float | None:
        """How many seconds the owner is late with its lease; None if it is not, or nobody owns the run."""
        lease = self.situation.lease
        if lease is None:
            return None
        ttl = (lease.expires_at - lease.renewed_at) / MICROSECONDS
        silence = (self.now - lease.renewed_at) / MICROSECONDS
        return silence if is_late(silence, renewal_pause(ttl)) else None

    @property
    def hang(self) -> Hang | None:
        """The process that owns the run, or executes its first step, if it hung when its node last said so.

        What was written since shows that it hangs no more. What a node said that runs no more is past, too.
        """
        run = self.run
        for node in self.running_nodes:
            reported = self.now - round(node.lease_age * MICROSECONDS)
            for pid, silence in node.silent.items():
                owns = (node.node, pid) == (run.owner_node, run.owner_pid)
                begins = run.owner is None and (silence.run_id, silence.seq) == (run.id, None)
                if (owns or begins) and run.updated_at <= reported:
                    return Hang(node.node, pid, reported - round(silence.seconds * MICROSECONDS), silence)
        return None

    @property
    def cancel_requested_at(self) -> tuple[bool, int | None]:
        """Whether the run was asked to stop, and when, as far as its history says it."""
        asked = self.history.cancelled_at is not None
        unread = any(kind == InboxKind.CANCEL for kind, _ in self.situation.mail)
        return asked or unread, self.history.cancelled_at

    @property
    def owner(self) -> str | None:
        """The process that owns the run, in words."""
        run = self.run
        return None if run.owner_node is None else f"process {run.owner_pid} of node {run.owner_node}"

    @property
    def has_lost_owner(self) -> bool:
        """Whether the lease of the process that owns the run has ended."""
        lease = self.situation.lease
        return self.run.owner is not None and lease is not None and lease.expires_at <= self.now

    @property
    def has_unknown_owner(self) -> bool:
        """Whether the run is owned by a process that nobody has registered."""
        return self.run.owner is not None and self.run.owner_node is None

    @property
    def needs_repair(self) -> bool:
        """Whether no node looks for the run, whatever comes."""
        odd = self.run.owner is None and self.situation.never_due
        return self.has_unknown_owner or odd or self.lost_wake is not None

    @property
    def can_continue(self) -> bool:
        """Whether a node continues the run by itself once what it waits for has come."""
        if self.run.pause is not None or self.needs_repair:
            return False
        if self.run.owner is None:
            return any(node.state != "draining" for node in self.serving)
        return not self.has_lost_owner or bool(self.able_to_take_over)

    @property
    def waker(self) -> str:
        """The process that wakes the run when its time comes, in words: one that lives and can do so."""
        anybody = f"any node that has {self.run.workflow}"
        if self.run.pause is not None:
            return f"{anybody}, once the run is resumed"
        if self.needs_repair:
            return f"{anybody}, once the run is repaired"
        if not self.can_continue:
            return "a node that can continue it, once one runs"
        if self.has_lost_owner or self.silence is not None:
            others = self.able_to_take_over
            if not others:
                # Only a silent owner: without it and without others the run could not continue.
                return "its owner, if it comes back"
            heir = f"a process of node {listed(others)}"
            return heir if self.has_lost_owner else f"its owner, or {heir}"
        return self.owner or anybody

    @property
    def died(self) -> str:
        """How often the process of the run died since it last got on, as the end of a sentence."""
        deaths = self.situation.deaths
        return f"; its process died {deaths} time{'' if deaths == 1 else 's'} before" if deaths else ""

    def ahead(self, due: int | None) -> datetime | None:
        """Return a time to come; None for one that is past."""
        return None if due is None or due <= self.now else at(due)

    def unread(self) -> list[str]:
        """Return what lies in the inbox, in words."""
        return sorted({_mail_in_words(self.history, kind, name) for kind, name in self.situation.mail})

    def start_a_node(self, when: str | None = None) -> Fix:
        """Return the command that starts a node which can continue the run."""
        own = [known for known in self.situation.versions if known.version == self.run.version]
        known = [each.module for each in (*own, *self.situation.versions) if is_importable(each.module)]
        command = f"continuum run-node {shlex.quote(known[0]) if known else 'MODULE'}"
        needs_namespace = any(node.namespaces is not None for node in self.running_nodes)
        if needs_namespace:
            command += f" --namespace {shlex.quote(self.run.namespace)}"
        return Fix(command, when)

    def cancel(self, when: str | None = "to stop the run instead of waiting", *, force: bool = False) -> Fix:
        """Return the command that stops the run; without force a node with its code has to do that."""
        by_a_node = not force and self.run.owner is None and self.run.state is not RunState.BLOCKED
        if by_a_node and all(node.state == "draining" for node in self.serving):
            when = "to stop it, once a node that has its code runs"
        return Fix(f"continuum cancel {self.run.id}{' --force' if force else ''}", when)


def _mail_in_words(history: RunHistory, kind: int, name: str) -> str:
    if kind == InboxKind.SIGNAL:
        return f"signal {name}"
    if kind == InboxKind.CANCEL:
        return "a request to stop"
    seq = int(name) if name.isascii() and name.isdecimal() else -1
    if kind in CHILD_ANSWERS:
        child = history.children.get(seq)
        return f"the end of child {child.id if child is not None else name}"
    call = history.calls.get(seq)
    return f"the end of an attempt of activity {call.name if call is not None else name}"


def _has(node: NodeRow, run: RunRow) -> bool:
    in_namespace = node.namespaces is None or run.namespace in node.namespaces
    return in_namespace and run.workflow in node.workflows


def optional_moment(microseconds: int | None) -> datetime | None:
    """Return a time as an aware datetime."""
    return None if microseconds is None else at(microseconds)
