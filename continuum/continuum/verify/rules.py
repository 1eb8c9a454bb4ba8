"""The names of the rules, each with the invariant it is about (ARCHITECTURE.md) and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rule(NamedTuple):
    """`keeps` names invariants and promises; `says` is what always holds."""

    keeps: str
    says: str


RULES: Mapping[str, Rule] = {
    "history-gap": Rule("P3", "the events of a history are numbered 0, 1, 2, … without a gap"),
    "history-short": Rule(
        "P3", "a history has all events that its run's waits, tasks, children and snapshots are about"
    ),
    "history-unreadable": Rule("I11", "every event can be decoded, has a known type and a finite time"),
    "history-time": Rule("I12", "the times of a history never go back"),
    "two-winners": Rule("I2", "what is pending gets one end: one result, one firing, one end of a child"),
    "fired-early": Rule("I12", "a timer fires at its time or later"),
    "signal-twice": Rule("P6", "a delivery of a signal is journaled once"),
    "after-the-end": Rule("I8", "nothing follows the event that continues a run as new"),
    "end-incomplete": Rule("P3", "an ended run has its result or error, the time of its end and no owner"),
    "not-ended": Rule("P3", "a run that has not ended has neither result nor error nor a time of its end"),
    "leftovers": Rule("P3", "an ended run has no tasks, and soon no inbox rows"),
    "owner-unknown": Rule("P7", "the owner of a run or a task is a registered worker"),
    "token": Rule("P7", "a claimed run has a fencing token, and no token is from the future"),
    "lost-wake": Rule("I4", "a run without owner that has mail, or has not begun, is due"),
    "odd-time": Rule("I11", "the times of a run are finite"),
    "blocked-without-fault": Rule("I9", "a blocked run says why, as a sentence and as facts"),
    "blocked-and-asked-to-stop": Rule("I4", "a run that was asked to stop ends when it becomes blocked"),
    "task-without-activity": Rule("I5", "a task belongs to a pending activity of its run's history"),
    "task-dispatch": Rule("P9", "a task's dispatch and attempt are those of the history"),
    "child-missing": Rule("P14", "every started child has a row, of its parent's namespace, one level below"),
    "child-unknown": Rule("P14", "a child that names its parent's command was started by it"),
    "child-end-lost": Rule("P14", "the end of a child is in its parent's inbox or history"),
    "child-not-asked": Rule("P15", "a parent's end asks its open children to stop, as their policies say"),
    "chain-broken": Rule(
        "P16", "a run and its successor name each other, the same first run, and how one follows the other"
    ),
    "snapshot-differs": Rule("P13", "a snapshot has the same events as the history"),
    "payload-unreadable": Rule(
        "I11", "every input, result, value of an event and published value can be decoded"
    ),
    "published-differs": Rule(
        "P17", "a chain has a value of each name that its runs have published, and no other"
    ),
    "inbox-unreadable": Rule("I11", "every inbox row can be decoded"),
    "key-twice": Rule("P4", "an idempotency key belongs to one run"),
    "lease-odd": Rule("P1", "a lease ends at a finite time, and soon"),
    "lease-expired": Rule("P8", "what an expired lease held is released while other workers live"),
    "orphan": Rule("P3", "every row belongs to a run that exists"),
}
