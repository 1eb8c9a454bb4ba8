"""When to retry an activity. Pure: a policy and a random number go in, a delay comes out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from numbers import Real
from typing import Literal

from continuum.errors import DurableTermError, InvalidDefinition, InvalidOption
from continuum.failures.exception_text import exception_name
from continuum.quoting import quoted

# A retry later than this is a new business decision, not a retry.
BACKOFF_CEILING_SECONDS = 24 * 3600.0
# Attempts and crashes together are numbered in an integer column.
MOST_ATTEMPTS = 1_000_000_000

# Histories of the first engine, and policies written for it, name our errors by the file that holds them.
_FORMER = "continuum.errors."


def seconds(value: float | timedelta, *, least: float = 0) -> float:
    """Return a duration given as seconds or `timedelta` in seconds; `InvalidOption` if it is none."""
    if isinstance(value, timedelta):
        length = value.total_seconds()
    elif isinstance(value, Real | Decimal) and not isinstance(value, bool):
        try:
            length = float(value)
        except (OverflowError, ValueError):  # 10**400, Decimal("sNaN")
            length = math.nan
    else:
        raise InvalidOption(f"a duration is a number of seconds or a timedelta, not {value!r:.100}")
    if not length >= least:  # nan is not, either
        raise InvalidOption(f"a duration is 0 or more seconds, not {value!r:.100}")
    return length


def current_name(name: str) -> str:
    """Return the name that an exception has today."""
    return f"continuum.{name.removeprefix(_FORMER)}" if name.startswith(_FORMER) else name


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after which delay, an activity is retried that raised an exception.

    `max_attempts` counts exceptions only; crashed processes have a limit of their own.
    `base` is the first delay and `max_backoff` the longest, in seconds or as a timedelta. How long
    all attempts may take together is the activity's `total_timeout`. `jitter` is the
    fraction of the delay that is random; it only shortens the delay, which never exceeds
    `max_backoff`. There is no retry after an exception that is an instance of a class in
    `non_retryable` (or has a name given there), nor after a result that cannot be stored
    or does not match its annotation (`DurableTermError`).
    """

    max_attempts: int = 1
    backoff: Literal["exponential", "constant"] = "exponential"
    base: float = 1.0
    max_backoff: float = 60.0
    jitter: float = 0.0
    non_retryable: tuple[type[BaseException] | str, ...] = field(default=())

    def __post_init__(self) -> None:
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= MOST_ATTEMPTS:
            raise InvalidDefinition(
                f"Retry.max_attempts must be a whole number from 1 to {MOST_ATTEMPTS}, "
                f"not {self.max_attempts!r:.100}"
            )
        if self.backoff not in ("exponential", "constant"):
            raise InvalidDefinition(
                f"Retry.backoff must be 'exponential' or 'constant', not {quoted(self.backoff)}"
            )
        for name in ("base", "max_backoff"):
            try:
                object.__setattr__(self, name, seconds(getattr(self, name)))
            except InvalidOption as error:
                raise InvalidDefinition(f"Retry.{name}: {error}") from error
        if not self.base <= self.max_backoff <= BACKOFF_CEILING_SECONDS:
            raise InvalidDefinition(
                f"Retry needs 0 <= base <= max_backoff <= {BACKOFF_CEILING_SECONDS:.0f} seconds, "
                f"not base={quoted(self.base)} and max_backoff={quoted(self.max_backoff)}"
            )
        if type(self.jitter) not in (int, float) or not 0 <= self.jitter <= 1:
            raise InvalidDefinition(f"Retry.jitter is a fraction from 0 to 1, not {self.jitter!r:.100}")
        if not isinstance(self.non_retryable, tuple) or not all(map(_names_exceptions, self.non_retryable)):
            raise InvalidDefinition(
                "Retry.non_retryable is a tuple of exception classes or names, not "
                f"{quoted(self.non_retryable)}"
            )

    @property
    def non_retryable_names(self) -> frozenset[str]:
        """The names by which an exception is recognised across processes."""
        return frozenset(
            current_name(entry) if isinstance(entry, str) else exception_name(entry)
            for entry in self.non_retryable
        )


def _names_exceptions(entry: object) -> bool:
    return isinstance(entry, str) or (isinstance(entry, type) and issubclass(entry, BaseException))


NO_RETRY = Retry()
# The work is done and only its result cannot be stored: a retry would do it twice.
FINAL_NAMES = frozenset({exception_name(DurableTermError)})


def backoff_delay(policy: Retry, failed_attempt: int, fraction: float) -> float:
    """Return the seconds to wait after attempt `failed_attempt`; `fraction` is random in [0, 1)."""
    if policy.backoff == "constant":
        delay = policy.base
    else:
        # 2**1024 would overflow a float; long before that `max_backoff` is the smaller one.
        delay = min(policy.base * 2.0 ** min(failed_attempt - 1, 64), policy.max_backoff)
    return delay * (1.0 - policy.jitter * fraction)


def wants_retry(policy: Retry, *, failed_attempt: int, error_names: frozenset[str]) -> bool:
    """Whether to retry; `error_names` are the names of the exception's classes."""
    final = policy.non_retryable_names | FINAL_NAMES
    return failed_attempt < policy.max_attempts and not (error_names & final)
