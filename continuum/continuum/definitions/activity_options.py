"""The options of an activity, merged field by field, and their stored form."""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from continuum.engine.retry import NO_RETRY, Retry, seconds
from continuum.errors import InvalidDefinition, InvalidOption
from continuum.quoting import quoted, shortened

# Queue names are index keys.
QUEUE_NAME_BYTES = 128
# Idempotency keys are index keys; longer ones do not fit a page of the index with its other columns.
KEY_BYTES = 512
# A priority is an integer column.
PRIORITIES = range(-(2**31), 2**31)
# A longer activity should be several, with a durable timer between them.
TIMEOUT_CEILING_SECONDS = 24 * 3600.0
# Waits in a queue and between attempts may be long; what waits for longer is a run of its own.
TOTAL_CEILING_SECONDS = 366 * 24 * 3600.0
# How many crashes of its process an activity survives before it fails.
CRASH_LIMIT = 5

IdempotencyKey = str | Callable[..., str]

_CEILINGS = {
    "timeout": TIMEOUT_CEILING_SECONDS,
    "heartbeat_timeout": TIMEOUT_CEILING_SECONDS,
    "total_timeout": TOTAL_CEILING_SECONDS,
}
# The options that are stored as they are when a call changes them. Earlier releases know the last five.
_STORED = (
    "heartbeat_timeout",
    "total_timeout",
    "timeout",
    "queue",
    "priority",
    "executor",
    "at_most_once",
)


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """Options of an activity. Timeouts are in seconds or None; see `activity` for the meaning of each."""

    retry: Retry = NO_RETRY
    timeout: float | None = None
    heartbeat_timeout: float | None = None
    total_timeout: float | None = None
    idempotency_key: IdempotencyKey | None = None
    queue: str | None = None
    priority: int = 0
    executor: Literal["thread", "process"] = "thread"
    at_most_once: bool = False
    # The template of a line for people about each call.
    summary: str | None = None
    # Whether an attempt has a deadline of any kind. It and the next one are asked for in every step.
    limited: bool = field(init=False, repr=False, compare=False)
    # Whether the activity goes through the task table instead of running in the process of its run.
    dispatched: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        bounds = (self.timeout, self.heartbeat_timeout, self.total_timeout)
        object.__setattr__(self, "limited", bounds != (None, None, None))
        object.__setattr__(self, "dispatched", self.queue is not None or self.executor == "process")

    @property
    def max_crashes(self) -> int:
        """How many crashes the activity survives."""
        return 0 if self.at_most_once else CRASH_LIMIT


def make_options(base: ActivityOptions, given: Mapping[str, Any]) -> ActivityOptions:
    """Return `base` with the given fields changed and checked; None leaves a field as it is."""
    known = {each.name for each in fields(ActivityOptions) if each.init}
    changes = {name: value for name, value in given.items() if value is not None}
    if unknown := changes.keys() - known:
        raise InvalidDefinition(
            f"unknown activity option {quoted(min(unknown))}; there are {', '.join(sorted(known))}"
        )
    for name, ceiling in _CEILINGS.items():
        if name in changes:
            changes[name] = _seconds(name, changes[name], ceiling)
    _check(changes)
    return replace(base, **changes)


def _seconds(name: str, value: Any, ceiling: float) -> float:
    try:
        length = seconds(value)
    except InvalidOption:
        length = 0.0
    if not 0 < length <= ceiling:
        raise InvalidDefinition(
            f"{name} must be from 0 to {ceiling:.0f} seconds, or a timedelta as long, not {value!r:.100}"
        )
    return length


def _check(changes: Mapping[str, Any]) -> None:
    retry, queue = changes.get("retry"), changes.get("queue")
    if retry is not None and not isinstance(retry, Retry):
        raise InvalidDefinition(f"retry must be a continuum.Retry, not {quoted(retry)}")
    if queue is not None and not (isinstance(queue, str) and 0 < _size(queue) <= QUEUE_NAME_BYTES):
        raise InvalidDefinition(
            f"a queue's name has 1 to {QUEUE_NAME_BYTES} bytes and no NUL, not {queue!r:.100}"
        )
    priority = changes.get("priority", 0)
    if type(priority) is not int or priority not in PRIORITIES:
        raise InvalidDefinition(
            f"priority must be a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}, not {priority!r:.100}"
        )
    if changes.get("executor", "thread") not in ("thread", "process"):
        raise InvalidDefinition(f"executor must be 'thread' or 'process', not {quoted(changes['executor'])}")
    if inspect.iscoroutinefunction(changes.get("idempotency_key")):
        raise InvalidDefinition("idempotency_key must be a plain function or a text, not an `async def`")
    if not isinstance(changes.get("at_most_once", False), bool):
        raise InvalidDefinition(f"at_most_once must be True or False, not {quoted(changes['at_most_once'])}")


def check_key_template(key: IdempotencyKey | None, signature: inspect.Signature, name: str) -> None:
    """Refuse a key template that names anything but a parameter."""
    if not isinstance(key, str):
        return
    try:
        fields_named = [field_name for _, field_name, _, _ in string.Formatter().parse(key)]
    except ValueError as error:
        raise InvalidDefinition(f"idempotency_key of {name} is not a template: {error}") from error
    for field_name in fields_named:
        if field_name is None:
            continue
        root = field_name.split(".")[0].split("[")[0]
        if root not in signature.parameters:
            raise InvalidDefinition(
                f"idempotency_key of {name} names {{{field_name}}}, which is not one of its parameters "
                f"({', '.join(signature.parameters) or 'it has none'})"
            )


def resolve_key(
    key: IdempotencyKey, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Return the idempotency key of one call, checked because it becomes an index key of the database."""
    if callable(key):
        resolved: object = key(*args, **kwargs)
    else:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        resolved = key.format(**bound.arguments)
    if not isinstance(resolved, str) or not 0 < _size(resolved) <= KEY_BYTES:
        raise InvalidDefinition(
            f"an idempotency key is text of 1 to {KEY_BYTES} bytes, not {resolved!r:.100}"
        )
    return resolved


def _size(text: str) -> int:
    """Return how many bytes a text takes in the database; 0 when it cannot be stored."""
    try:
        return 0 if "\0" in text else len(text.encode())
    except UnicodeEncodeError:
        return 0


def store_changes(base: ActivityOptions, options: ActivityOptions, key: str | None) -> dict[str, Any] | None:
    """Return the options that a call changes, as primitives; None when it changes none."""
    stored: dict[str, Any] = {}
    for name in _STORED:
        value = getattr(options, name)
        if value != getattr(base, name):
            stored[name] = value
    if options.retry != base.retry:
        retry = options.retry
        stored["retry"] = [
            retry.max_attempts,
            retry.backoff,
            retry.base,
            retry.max_backoff,
            retry.jitter,
            sorted(retry.non_retryable_names),
        ]
    if key is not None:
        stored["key"] = key
    return stored or None


def restore_options(base: ActivityOptions, stored: Mapping[str, Any] | None) -> ActivityOptions:
    """Return the options of a journaled call; see `why_unreadable` for one that another release journaled."""
    if stored is None:
        return base
    return replace(base, **_restored(stored))


def why_unreadable(base: ActivityOptions, stored: Mapping[str, Any]) -> str | None:
    """Return why this release cannot restore the options of a journaled call, None if it can."""
    try:
        make_options(base, _restored(stored))
    except (InvalidDefinition, TypeError, ValueError) as error:
        return shortened(error)
    if type(stored.get("key", "")) is not str:
        return f"an idempotency key is text, not {quoted(stored['key'])}"
    return None


def _restored(stored: Mapping[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in stored.items() if name not in ("retry", "key")}
    if "retry" in stored:
        max_attempts, backoff, base_delay, max_backoff, jitter, names = stored["retry"]
        changes["retry"] = Retry(max_attempts, backoff, base_delay, max_backoff, jitter, tuple(names))
    return changes
