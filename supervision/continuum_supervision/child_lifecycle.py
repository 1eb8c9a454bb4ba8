"""What both supervisors share: making a child, logging its end, giving up on it."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING

from .actor import Actor
from .exits import Crash, ExitReason, ExpectedExit, describe, is_abnormal
from .ref import logger

if TYPE_CHECKING:
    from .child_spec import ChildSpec
    from .ref import ActorRef
    from .restart import Intensity


class SupervisorGaveUp(Exception):
    """A child failed more often than its supervisor may restart it."""

    def __init__(self, child_id: str, intensity: Intensity, reason: ExitReason):
        super().__init__(
            f"child {child_id!r} {_ended(reason)}, and more than {intensity.max_restarts} restarts in"
            f" {intensity.max_seconds:g} s are not allowed: mend the child, or raise max_restarts"
        )
        self.child_id = child_id
        self.reason = reason
        if isinstance(reason, Crash):
            self.__cause__ = reason.exception


async def make_child(spec: ChildSpec) -> Actor:
    """Make a new actor with the spec's factory."""
    made = spec.start()
    actor = await made if inspect.isawaitable(made) else made
    if not isinstance(actor, Actor):
        raise TypeError(f"child {spec.id!r}: start() made {actor!r}, which is not an Actor")
    return actor


def log_exit(child_id: str, ref: ActorRef, reason: ExitReason) -> None:
    """Log once, with its traceback, that a child ended without having been stopped."""
    exception = reason.exception if isinstance(reason, Crash) else None
    if isinstance(exception, ExpectedExit):
        logger.warning("child %r ended, as it must: %s", child_id, exception)
        return
    level = logging.ERROR if is_abnormal(reason) else logging.INFO
    logger.log(level, "child %r ended: %r", child_id, ref, exc_info=exception)


def log_killed(child_id: str, budget: float | None) -> None:
    """Log that a child was killed because it did not stop in time."""
    logger.warning("child %r did not stop within %s s and was killed", child_id, budget)


def log_failed_start(child_id: str, error: Exception) -> None:
    """Log once that a restart failed while the child started."""
    logger.error("child %r could not be started again", child_id, exc_info=error)


def _ended(reason: ExitReason) -> str:
    return describe(reason) if isinstance(reason, Crash) else f"ended ({describe(reason)})"
