"""Retries: delays within their limits, and no retry of a non-retryable exception."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import continuum
from continuum import Retry, RunNotFound
from continuum.engine.events import EventType
from continuum.engine.retry import backoff_delay, seconds, wants_retry
from continuum.failures.exception_text import exception_name
from tests.unit.engine.activities import Declined, stubborn
from tests.unit.engine.driver import Driver, assert_same_from_every_prefix

policies = st.builds(
    lambda base, factor, jitter, kind: Retry(
        max_attempts=9, backoff=kind, base=base, max_backoff=min(base * factor, 86_400.0), jitter=jitter
    ),
    st.floats(0, 86_400),
    st.floats(1, 1_000),
    st.floats(0, 1),
    st.sampled_from(["exponential", "constant"]),
)


@given(policies, st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_a_delay_never_exceeds_the_maximum_and_jitter_shortens_it(
    policy: Retry, attempt: int, fraction: float
) -> None:
    """POL5, POL9, B27"""
    delay = backoff_delay(policy, attempt, fraction)
    full = backoff_delay(policy, attempt, 0.0)
    assert full * (1 - policy.jitter) * (1 - 1e-12) <= delay <= full <= policy.max_backoff


@given(policies, st.integers(1, 10**6))
def test_a_later_attempt_never_waits_less(policy: Retry, attempt: int) -> None:
    assert backoff_delay(policy, attempt, 0.0) <= backoff_delay(policy, attempt + 1, 0.0)


def test_delays_double() -> None:
    policy = Retry(max_attempts=9, base=1.0, max_backoff=60.0)
    assert [backoff_delay(policy, attempt, 0.0) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 32, 60]


@pytest.mark.parametrize(
    ("base", "cap", "jitter", "lowest", "highest"),
    [
        (100.0, 1000.0, 0.25, 75.0, 100.0),
        (1000.0, 1000.0, 0.05, 950.0, 1000.0),
        (600.0, 600.0, 1.0, 0.0, 600.0),
    ],
    ids=["below the cap", "at the cap", "as wide as the cap"],
)
def test_jitter_spreads_delays_at_the_maximum_too(
    base: float, cap: float, jitter: float, lowest: float, highest: float
) -> None:
    """POL6, POL7, POL8, POL9, B27: jitter shortens delays, so that none exceeds the maximum."""
    policy = Retry(max_attempts=9, backoff="constant", base=base, max_backoff=cap, jitter=jitter)
    delays = [backoff_delay(policy, 1, fraction / 100) for fraction in range(100)]
    assert all(lowest <= delay <= highest for delay in delays)
    assert len(set(delays)) == len(delays)


def names(kind: type[BaseException]) -> frozenset[str]:
    return frozenset(exception_name(parent) for parent in kind.__mro__)


class WornOut(Declined):
    """A subclass of a non-retryable exception."""


@pytest.mark.parametrize("final", [Declined, exception_name(Declined), exception_name(WornOut)])
def test_a_non_retryable_exception_is_not_retried(final: type[BaseException] | str) -> None:
    policy = Retry(max_attempts=5, non_retryable=(final,))
    assert not wants_retry(policy, failed_attempt=1, error_names=names(WornOut))
    assert wants_retry(policy, failed_attempt=1, error_names=names(OSError))


def test_an_error_of_ours_is_recognised_by_the_module_that_holds_it_too() -> None:
    policy = Retry(max_attempts=5, non_retryable=("continuum.errors.RunNotFound",))
    assert not wants_retry(policy, failed_attempt=1, error_names=names(RunNotFound))


def test_there_is_no_retry_after_the_last_attempt() -> None:
    policy = Retry(max_attempts=3)
    wanted = [wants_retry(policy, failed_attempt=number, error_names=frozenset()) for number in (1, 2, 3, 4)]
    assert wanted == [True, True, False, False]


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": True},
        {"max_attempts": 1.5},
        {"backoff": "linear"},
        {"base": -1.0},
        {"base": math.nan},
        {"base": 2.0, "max_backoff": 1.0},
        {"max_backoff": math.inf},
        {"jitter": 1.5},
        {"jitter": math.nan},
        {"non_retryable": ValueError},
        {"non_retryable": (5,)},
        {"non_retryable": (int,)},
    ],
    ids=str,
)
def test_an_invalid_policy_is_refused_at_definition(options: dict[str, object]) -> None:
    """POL2, POL8, B26"""
    with pytest.raises(continuum.InvalidDefinition, match="Retry"):
        Retry(**options)  # type: ignore[arg-type]


def test_durations_are_seconds_or_timedeltas() -> None:
    assert seconds(timedelta(minutes=1)) == seconds(60) == 60.0


@pytest.mark.parametrize("value", [-1, "0.1", True, math.nan, 10**400, Decimal("sNaN"), Decimal(-1)], ids=str)
def test_a_value_that_is_no_duration_is_refused(value: Any) -> None:
    with pytest.raises(continuum.InvalidOption, match="a duration is"):
        seconds(value)


def test_an_activity_is_retried_up_to_its_limit_and_each_retry_is_journaled() -> None:
    async def program() -> object:
        try:
            return await stubborn()
        except continuum.ActivityError as error:
            return error.attempt

    driver = Driver(program)
    assert driver.result() == 3
    retries = [event.body for event in driver.history if event.type == EventType.ACTIVITY_RETRIED]
    assert [body[3] for body in retries] == [1, 2]
    assert driver.now >= retries[1][4]
    assert_same_from_every_prefix(program, driver)


def test_a_run_resumed_in_a_backoff_keeps_the_attempt_and_the_due_time() -> None:
    async def program() -> object:
        return await stubborn()

    first = Driver(program)
    first.settle()
    due = first.execution.next_due()
    second = Driver(program, history=first.history)
    assert second.execution.next_due() == due
    second.run()
    assert second.executed == ["engine.stubborn"] * 2
    first.close()
