"""Every exception that Continuum raises to its users.

There are three families: the caller's mistake (fix the call), the world (try again or
ask an operator), and the end of a run (what happened inside a workflow).
The engine's control exceptions are in `continuum.engine.control`: they are `BaseException`s, so that
user code does not catch them by accident.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from continuum.quoting import listed, quoted, shortened, with_short_words


class ContinuumError(Exception):
    """Base of every exception that Continuum raises on purpose."""

    def __init__(self, *args: object) -> None:
        # Whatever a message quotes, no word of it is longer than `quoting` allows.
        super().__init__(*[with_short_words(part) if isinstance(part, str) else part for part in args])


# The caller's mistake; nothing was written.


class NotInWorkflow(ContinuumError):
    """An effect was used outside a running workflow."""


class DeterminismError(ContinuumError):
    """Workflow code used something that replay cannot repeat."""


class DurableTermError(ContinuumError):
    """A value cannot be written to, or read back from, the journal.

    `path` says where, e.g. ``input.customer.owners[1]``.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{shortened(path)}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[DurableTermError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


class InvalidDefinition(ContinuumError):
    """A workflow, activity, signal or retry policy is declared in a way that cannot work."""


class InvalidOption(ContinuumError):
    """An option of an instance, a node or a call is unknown or has the wrong type."""


class ChildrenTooDeep(ContinuumError):
    """A run that has the most ancestors allowed cannot start a child; nothing was written."""

    def __init__(self, workflow: str, limit: int) -> None:
        super().__init__(
            f"{shortened(workflow)} would have more than {limit} ancestors; start it from a run further up, "
            "or use continue_as_new"
        )
        self.workflow = workflow
        self.limit = limit

    def __reduce__(self) -> tuple[type[ChildrenTooDeep], tuple[str, int]]:
        return type(self), (self.workflow, self.limit)


class InvalidQuery(ContinuumError):
    """A query names an unknown field, operator or cursor."""


class UnindexedQuery(InvalidQuery):
    """No index leads to the runs that a query asks for, and there are too many to look at all of them.

    `index` is the statement that makes the index, None if none serves such conditions; `looked_at` is how
    many runs were looked at.
    """

    def __init__(self, index: str | None, looked_at: int) -> None:
        super().__init__(
            f"no index serves this query, and {looked_at} runs were looked at in vain; ask by workflow, "
            "namespace, parent or an attribute that equals a value, or bound started_at"
            + ("" if index is None else f", or make an index: {index}")
        )
        self.index = index
        self.looked_at = looked_at

    def __reduce__(self) -> tuple[type[UnindexedQuery], tuple[str | None, int]]:
        return type(self), (self.index, self.looked_at)


class InstanceNotRegistered(ContinuumError):
    """No instance of that name exists in this process."""


class UnknownWorkflow(ContinuumError):
    """This process knows no workflow of that name."""


class UnknownVersion(ContinuumError):
    """This process has not loaded the code that a run was started with."""


class AlreadyStarted(ContinuumError):
    """The idempotency key or the run id is taken; `run_id` is the run that has it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {shortened(run_id)} was already started under this id or idempotency key; "
            "use its handle, or start with another key"
        )
        self.run_id = run_id

    def __reduce__(self) -> tuple[type[AlreadyStarted], tuple[str]]:
        return type(self), (self.run_id,)


class RunNotFound(ContinuumError):
    """No run has that id, or none in the `namespace` that the call was limited to.

    `removed` is true if the run existed and was removed while the caller waited for its end.
    """

    def __init__(self, run_id: str, removed: bool = False, namespace: str | None = None) -> None:
        where = "" if namespace is None else f" in namespace {quoted(namespace)}"
        super().__init__(
            f"run {shortened(run_id)} was removed before its end was seen here; give its "
            "workflow a longer retention"
            if removed
            else f"no run has the id {shortened(run_id)}{where}; `continuum runs list` shows those there are"
        )
        self.run_id = run_id
        self.removed = removed
        self.namespace = namespace

    def __reduce__(self) -> tuple[type[RunNotFound], tuple[str, bool, str | None]]:
        return type(self), (self.run_id, self.removed, self.namespace)


class NotPublished(ContinuumError, LookupError):
    """No run of this chain has published a value under that name yet."""

    def __init__(self, run_id: str, name: str) -> None:
        super().__init__(
            f"run {shortened(run_id)} has published no {quoted(name)}; pass default= if it may be missing"
        )
        self.run_id = run_id
        self.name = name

    def __reduce__(self) -> tuple[type[NotPublished], tuple[str, str]]:
        return type(self), (self.run_id, self.name)


class CursorExpired(ContinuumError):
    """Changes after this cursor have been removed, or it comes from another database."""

    def __init__(self) -> None:
        super().__init__(
            "changes after this cursor have been removed (they are kept for seven days), or it is of another "
            "database; begin again without a cursor, and read with query() how things stand"
        )


class UndeclaredSignal(ContinuumError):
    """The run's code declares its signals, and this is not one of them; nothing was sent."""

    def __init__(self, run_id: str, name: str, declared: Sequence[str]) -> None:
        super().__init__(
            f"run {shortened(run_id)} takes no signal {quoted(name)}; it takes {listed(sorted(declared))}"
        )
        self.run_id = run_id
        self.name = name
        self.declared = tuple(sorted(declared))

    def __reduce__(self) -> tuple[type[UndeclaredSignal], tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.run_id, self.name, self.declared)


class NodeNotFound(ContinuumError):
    """No node has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no node is named {shortened(name)}; `continuum nodes list` shows those there are")
        self.name = name

    def __reduce__(self) -> tuple[type[NodeNotFound], tuple[str]]:
        return type(self), (self.name,)


class OperationNotFound(ContinuumError):
    """No operation has this id."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"there is no operation {shortened(operation)}; `continuum operations list` lists the latest"
        )
        self.operation = operation

    def __reduce__(self) -> tuple[type[OperationNotFound], tuple[str]]:
        return type(self), (self.operation,)


class RunNotDeletable(ContinuumError):
    """The run is still needed, so it was not removed; `why` says what to do first."""

    def __init__(self, run_id: str, why: str) -> None:
        super().__init__(f"run {shortened(run_id)} was not removed: {why}")
        self.run_id = run_id
        self.why = why

    def __reduce__(self) -> tuple[type[RunNotDeletable], tuple[str, str]]:
        return type(self), (self.run_id, self.why)


class RunTerminal(ContinuumError):
    """The run has ended, so it takes no more signals or cancel requests."""

    def __init__(self, run_id: str, state: str) -> None:
        super().__init__(f"run {shortened(run_id)} is already {state} and takes nothing more")
        self.run_id = run_id
        self.state = state

    def __reduce__(self) -> tuple[type[RunTerminal], tuple[str, str]]:
        return type(self), (self.run_id, self.state)


class RunChanged(ContinuumError):
    """The run is no longer as it was seen before a change that was to depend on that; nothing was changed."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {shortened(run_id)} has changed since it was looked at, and nothing was done; look again "
            "and decide anew"
        )
        self.run_id = run_id

    def __reduce__(self) -> tuple[type[RunChanged], tuple[str]]:
        return type(self), (self.run_id,)


class CutRefused(ContinuumError):
    """A run cannot begin with the events of another before `at`; nothing was changed.

    `nearest` is the last cut before `at` that works, None if there is none or the cut is not the reason.
    """

    def __init__(self, run_id: str, at: int | None, why: str, nearest: int | None = None) -> None:
        where = "cannot continue from its failure" if at is None else f"cannot be cut at event {at}"
        way_out = "" if nearest is None else f"; the last cut before that works is event {nearest}"
        super().__init__(f"run {shortened(run_id)} {where}: {why}{way_out}")
        self.run_id = run_id
        self.at = at
        self.why = why
        self.nearest = nearest

    def __reduce__(self) -> tuple[type[CutRefused], tuple[str, int | None, str, int | None]]:
        return type(self), (self.run_id, self.at, self.why, self.nearest)


# The world; the same call may succeed later, or after an operator acts.


class NotRepairable(ContinuumError):
    """A repair may not decide what to do, so nothing was changed; the message says why, and what helps."""

    def __init__(self, code: str, subject: str, why: str) -> None:
        super().__init__(f"{code} of {shortened(subject)}: {why}")
        self.code = code
        self.subject = subject
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.subject, self.why)


class NotReady(ContinuumError):
    """The node or instance is draining or has not finished starting."""


class JournalUnavailable(ContinuumError):
    """The database cannot be reached, or refuses to work with us, right now."""


class StatementCancelled(JournalUnavailable):
    """Postgres ended a statement that took longer than it may."""


class SchemaOutOfDate(ContinuumError):
    """The database schema is missing or older than this code; run `continuum migrate`."""


class EmbeddedPostgresError(ContinuumError):
    """The embedded Postgres cannot be started; the message says what to do."""


class ClusterError(ContinuumError):
    """A node cannot bind, join or authenticate; the message says what to do."""


# The end of a run.


def _quoted_error(type: str, message: str) -> str:
    """Return type and message of a user's exception; the attributes of ours keep the whole texts."""
    return f"{shortened(type)}: {shortened(message)}"


class ActivityError(ContinuumError):
    """An activity failed for good: its last attempt has failed.

    `type` is the qualified name of the original exception, `message` its text,
    `traceback` its formatted stack (may be empty), and `attempt` the number of the
    last attempt, counted from 1.
    """

    def __init__(self, activity: str, type: str, message: str, traceback: str, attempt: int) -> None:
        super().__init__(f"{shortened(activity)} failed on attempt {attempt}: {_quoted_error(type, message)}")
        self.activity = activity
        self.type = type
        self.message = message
        self.traceback = traceback
        self.attempt = attempt

    def __reduce__(self) -> tuple[type[ActivityError], tuple[str, str, str, str, int]]:
        return type(self), (self.activity, self.type, self.message, self.traceback, self.attempt)


class ChildFailed(ContinuumError):
    """A child run ended without a result.

    `type`, `message` and `traceback` are those of the exception it ended with; `cancelled` is true if
    it was stopped instead.
    """

    def __init__(
        self, run_id: str, type: str, message: str, traceback: str = "", *, cancelled: bool = False
    ) -> None:
        super().__init__(
            f"child run {shortened(run_id)} was cancelled"
            if cancelled
            else f"child run {shortened(run_id)} failed: {_quoted_error(type, message)}"
        )
        self.run_id = run_id
        self.type = type
        self.message = message
        self.traceback = traceback
        self.cancelled = cancelled

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(ChildFailed, cancelled=self.cancelled), (
            self.run_id,
            self.type,
            self.message,
            self.traceback,
        )


class RunFailed(ContinuumError):
    """The run ended with an exception; `type`, `message` and `traceback` describe the original."""

    def __init__(self, run_id: str, type: str, message: str, traceback: str = "") -> None:
        super().__init__(f"run {shortened(run_id)} failed: {_quoted_error(type, message)}")
        self.run_id = run_id
        self.type = type
        self.message = message
        self.traceback = traceback

    def __reduce__(self) -> tuple[type[RunFailed], tuple[str, str, str, str]]:
        return type(self), (self.run_id, self.type, self.message, self.traceback)


class RunCancelled(ContinuumError):
    """The run was cancelled. `reason` is "parent_cancelled" if the end of its parent caused it."""

    def __init__(self, run_id: str, reason: str | None = None) -> None:
        super().__init__(
            f"run {shortened(run_id)} was cancelled{'' if reason is None else f': {shortened(reason)}'}"
        )
        self.run_id = run_id
        self.reason = reason

    def __reduce__(self) -> tuple[type[RunCancelled], tuple[str, str | None]]:
        return type(self), (self.run_id, self.reason)


# Exception names are journaled: they name the public package, whichever file holds the class.
for _error in [value for value in globals().values() if isinstance(value, type)]:
    if _error.__module__ == __name__:
        _error.__module__ = "continuum"
