"""Whether a child is restarted, and how often that may happen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never


class Restart(Enum):
    """Which ends of a child lead to a restart: all of them, abnormal ones, or none."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


def wants_restart(restart: Restart, *, abnormal: bool) -> bool:
    """Whether a child of this kind is restarted after such an end."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return abnormal
        case Restart.TEMPORARY:
            return False
        case never:
            assert_never(never)


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `max_restarts` restarts in any window of `max_seconds`; after more, the supervisor gives up."""

    max_restarts: int
    max_seconds: float
    restarts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts is {self.max_restarts}: give zero or more")
        if not self.max_seconds > 0:
            raise ValueError(f"max_seconds is {self.max_seconds}: give more than zero seconds")

    def record(self, now: float) -> Intensity:
        """Return the intensity after one more restart; then check `exceeded`."""
        recent = tuple(at for at in self.restarts if now - at <= self.max_seconds)
        return replace(self, restarts=(*recent, now))

    @property
    def exceeded(self) -> bool:
        return len(self.restarts) > self.max_restarts
