"""The effects of workflow code besides activities and signals: time, randomness, reads, timers, logging.

Values from outside the run (time, randomness, an impure read) are journaled when they are first read and
replayed afterwards; none of them waits for a commit.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import uuid
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from continuum.codec.codec import check_without_annotation, completeness_check, decode, encode
from continuum.definitions.name_rules import check_name
from continuum.engine import recorded_values
from continuum.engine.call_site import Site, declare_wrapper
from continuum.engine.execution import Execution, current
from continuum.engine.ids import RunId
from continuum.engine.loop.event_loop import WorkflowTimer
from continuum.engine.recorded_values import reached_patch, recorded_value
from continuum.engine.retry import seconds
from continuum.errors import DurableTermError, NotInWorkflow

T = TypeVar("T")

declare_wrapper(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run knows about itself.

    `attempt` counts the times a host has claimed the run, from 1. `label` is that of the code which executes
    it now. Both are for messages: a replay may see other values. Code that decides by one of them reads it
    with `side_effect(lambda: info().attempt)`.
    """

    run_id: RunId
    workflow: str
    label: str
    namespace: str
    attempt: int
    parent_run_id: RunId | None = None
    trace_context: str | None = None


def require(what: str) -> Execution:
    """Return the execution of the workflow that is running; `NotInWorkflow` when none is."""
    execution = current()
    if execution is None:
        raise NotInWorkflow(f"{what} works only inside a workflow; start one with client.start(...)")
    return execution


def call_site(depth: int) -> Site:
    """Return the call site of the caller that is `depth` frames up."""
    frame = sys._getframe(depth + 1)
    return frame.f_code, frame.f_lasti


def in_workflow() -> bool:
    """Whether this code runs inside a workflow."""
    return current() is not None


def info() -> RunInfo:
    """Return what the current run knows about itself."""
    run_info: RunInfo = require("continuum.info()").info
    return run_info


def now() -> datetime:
    """Return the current time, aware and in UTC, journaled."""
    return _now(call_site(1))


def today() -> date:
    """Return the current UTC date, journaled."""
    return _now(call_site(1)).date()


def _now(site: Site) -> datetime:
    execution = require("continuum.now()")
    return _EPOCH + timedelta(microseconds=recorded_value(execution, "now", site, lambda: execution.log.at))


def uuid4() -> uuid.UUID:
    """Return a random UUID, journaled."""
    execution = require("continuum.uuid4()")
    return uuid.UUID(
        bytes=recorded_value(execution, "uuid4", call_site(1), lambda: execution.random_bytes(16)),
        version=4,
    )


def random() -> float:
    """Return a random float in [0, 1), journaled."""
    execution = require("continuum.random()")
    data = recorded_value(execution, "random", call_site(1), lambda: execution.random_bytes(7))
    value: float = _fraction(data)
    return value


def _fraction(random_bytes: bytes) -> float:
    return (int.from_bytes(random_bytes, "big") >> 3) / (1 << 53)


def side_effect(read: Callable[[], T], *, type: Any = None) -> T:
    """Return the journaled result of an impure, quick, synchronous read.

    `read` is called once; a replay returns the same value. An exception of it is journaled too and raised in
    the workflow as an `ActivityError` with `.type` and `.message`. Other effects inside `read` are refused.

    An Enum, a record or another value of a class of its own needs `type=`, like the annotation of an
    activity's result; without it the value is refused with `DurableTermError`.
    """
    execution = require("continuum.side_effect()")
    data = recorded_value(execution, "user", call_site(1), lambda: _read_once(read, type))
    try:
        value: T = decode(data, Any if type is None else type, path="side_effect")
    except DurableTermError as error:
        execution.log.unreadable(None, error)
    return value


def _read_once(read: Callable[[], object], type: Any) -> bytes:
    value = read()
    if type is None:
        return encode(value, path="side_effect", check=check_without_annotation)
    data = encode(value, path="side_effect", check=completeness_check(type))
    decode(data, type, path="side_effect")  # what cannot be read must not be journaled
    return data


def patched(name: str) -> bool:
    """Whether this run takes the new side of the change `name`.

    True for a run that reaches this call for the first time with this code, False for a run whose history
    was recorded without it. The first decision for each name holds for the rest of the run; only a marker in
    its history makes a later call true. False outside a workflow.
    """
    execution = current()
    return False if execution is None else reached_patch(execution, name, call_site(1))


def publish(name: str, value: Any) -> None:
    """Publish `value` under `name` for clients to read, as soon as it is durable.

    A later value of the name replaces it. Clients can read it while no node is alive, and after the run.
    """
    execution = require("continuum.publish()")
    check_name(name, "the name of a published value")
    recorded_values.publish(execution, name, call_site(1), encode(value, path=f"published {name}"))


async def sleep(duration: float | timedelta) -> None:
    """Sleep durably for `duration` seconds; at once when that is less than none, as `asyncio.sleep` does."""
    require("continuum.sleep()")
    await asyncio.sleep(seconds(duration, least=-math.inf))


async def sleep_until(when: datetime) -> None:
    """Sleep durably until `when`, an aware datetime on the database clock; return at once when it is past."""
    execution = require("continuum.sleep_until()")
    if when.tzinfo is None:
        raise ValueError("sleep_until() needs an aware datetime, e.g. datetime(..., tzinfo=UTC)")
    future: asyncio.Future[None] = execution.loop.create_future()
    due = (when - _EPOCH) // timedelta(microseconds=1)
    timer = WorkflowTimer(due / 1e6, _wake, (future,), execution.loop)
    timer.seq = execution.start_timer(timer, due)
    try:
        await future
    finally:
        timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _ReplayAwareLogger(logging.LoggerAdapter[logging.Logger]):
    """Drops records while a run replays what it logged before; adds the run's id to the others."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        execution = current()
        return (execution is None or not execution.log.replaying) and super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        execution = current()
        if execution is not None and execution.info is not None:
            kwargs["extra"] = {**kwargs.get("extra", {}), "run_id": execution.info.run_id}
        return msg, kwargs


log = _ReplayAwareLogger(logging.getLogger("continuum.workflow"), {})
"""A logger for workflow code that is silent on replay."""
