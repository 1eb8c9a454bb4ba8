"""Definitions are checked when they are made, and calls when they are called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

import continuum
from continuum import InvalidDefinition, Retry, Signal, activity, workflow
from continuum.definitions.activity import Activity, defined_activities
from continuum.definitions.activity_options import (
    KEY_BYTES,
    ActivityOptions,
    make_options,
    resolve_key,
    restore_options,
    store_changes,
)
from continuum.engine.outcome import Failed
from tests.unit.engine.driver import Driver


@activity(name="definitions.pay", idempotency_key="pay-{order[id]}-{amount}", timeout=timedelta(seconds=9))
def pay(order: dict[str, int], amount: int = 1) -> int:
    return amount


@activity(name="definitions.read")
async def read(value: int) -> int:
    return value


@workflow(name="definitions.flow", label=3)
async def flow(value: int) -> int:
    return value


def options_of(driver: Driver) -> dict[str, object] | None:
    stored: dict[str, object] | None = driver.history[0].body[4]
    return stored


def test_outside_a_workflow_an_activity_is_its_function() -> None:
    assert asyncio.run(read(4)) == 4
    assert asyncio.run(pay({"id": 1}, 7)) == 7
    assert asyncio.run(read.options(timeout=5)(4)) == 4


def test_an_activity_is_known_by_its_name() -> None:
    assert pay.name == "definitions.pay"
    assert defined_activities()["definitions.pay"] is pay


def test_two_activities_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"two activities are named 'definitions\.pay'"):

        @activity(name="definitions.pay")
        def another() -> None: ...


def test_activity_decorates_functions_only() -> None:
    with pytest.raises(InvalidDefinition, match="goes on a function"):
        activity(str)


def test_a_process_activity_is_not_async() -> None:
    with pytest.raises(InvalidDefinition, match="plain functions"):

        @activity(executor="process")
        async def isolated() -> None: ...


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": 1e9}, "timeout"),
        ({"timeout": timedelta(hours=-1)}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"retry": 3}, r"continuum\.Retry"),
        ({"queue": ""}, "queue"),
        ({"queue": "x" * 129}, "queue"),
        ({"queue": "a\0b"}, "queue"),
        ({"queue": "\ud800"}, "queue"),
        ({"priority": "high"}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": 2**31}, "priority"),
        ({"priority": -(2**31) - 1}, "priority"),
        ({"executor": "gpu"}, "executor"),
        ({"at_most_once": 1}, "at_most_once"),
        ({"idempotency_key": "{nobody}"}, "nobody"),
        ({"idempotency_key": "{}"}, "idempotency_key"),
        ({"idempotency_key": "{order"}, "not a template"),
    ],
    ids=str,
)
def test_an_invalid_option_of_a_call_is_refused(options: dict[str, object], words: str) -> None:
    """POL2, B26"""
    with pytest.raises(InvalidDefinition, match=words):
        pay.options(**options)  # type: ignore[call-overload]


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    """POL2"""
    with pytest.raises(InvalidDefinition, match=r"unknown activity option 'retries'; there are .*retry"):
        activity(retries=3)  # type: ignore[call-overload]


def test_options_are_merged_field_by_field() -> None:
    """C15"""
    base = ActivityOptions(retry=Retry(max_attempts=3), timeout=5.0, queue="slow")
    merged = make_options(base, {"timeout": timedelta(minutes=1), "queue": None})
    assert merged == ActivityOptions(retry=Retry(max_attempts=3), timeout=60.0, queue="slow")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"timeout": 7.0, "queue": "q", "priority": 3},
        {"heartbeat_timeout": 2.0, "total_timeout": timedelta(days=2)},
        {"executor": "process", "at_most_once": True},
        {"retry": Retry(max_attempts=4, base=2.0, jitter=0.5, non_retryable=("billing.Declined", "OSError"))},
    ],
    ids=str,
)
def test_stored_options_are_restored(changes: dict[str, object]) -> None:
    options = make_options(pay.defaults, changes)
    stored = store_changes(pay.defaults, options, "k")
    restored = restore_options(pay.defaults, stored)
    assert restored.retry.non_retryable_names == options.retry.non_retryable_names
    assert store_changes(pay.defaults, restored, "k") == stored
    assert set(stored or ()) == {*changes, "key"}


def test_exception_classes_are_stored_by_name() -> None:
    options = make_options(ActivityOptions(), {"retry": Retry(max_attempts=2, non_retryable=(ValueError,))})
    restored = restore_options(ActivityOptions(), store_changes(ActivityOptions(), options, None))
    assert restored.retry.non_retryable == ("ValueError",)


def test_a_key_is_made_from_arguments_and_defaults() -> None:
    async def program() -> object:
        return await pay({"id": 7})

    driver = Driver(program)
    driver.run()
    assert options_of(driver) == {"key": "pay-7-1"}


def test_a_call_without_changes_stores_no_options() -> None:
    async def program() -> object:
        return await read(1)

    driver = Driver(program)
    assert options_of(driver) is None
    driver.close()


@pytest.mark.parametrize("key", [5, "", "a\0b", "\udfff", "x" * (KEY_BYTES + 1), None])
def test_a_key_the_database_cannot_hold_is_refused_in_the_workflow(key: object) -> None:
    with pytest.raises(InvalidDefinition, match="idempotency key"):
        resolve_key(lambda: key, pay.arguments.signature, (), {})  # type: ignore[arg-type,return-value]


def bad_key() -> Awaitable[int]:
    return read.options(idempotency_key=lambda value: "x" * (KEY_BYTES + 1))(1)


@activity(name="definitions.badly_keyed", idempotency_key=lambda value: None)  # type: ignore[arg-type]
async def badly_keyed(value: int) -> int:
    return value


@pytest.mark.parametrize(
    "call",
    [
        lambda: badly_keyed(1),
        bad_key,
        lambda: read.options(timeout=0)(1),
        lambda: read.options(retry=Retry(max_attempts=0))(1),
    ],
    ids=["the definition's key", "the call's key", "timeout", "attempts"],
)
def test_an_invalid_call_fails_the_run_before_anything_is_written(
    call: Callable[[], Awaitable[int]],
) -> None:
    """POL4, B26"""

    async def program() -> object:
        return await call()

    driver = Driver(program)
    assert isinstance(driver.outcome, Failed)
    assert isinstance(driver.outcome.error, InvalidDefinition)
    assert driver.history == []


def test_a_workflow_is_not_called() -> None:
    with pytest.raises(continuum.NotInWorkflow, match=r"client\.start"):
        _ = flow(1)


def test_a_workflow_has_a_name_and_a_label() -> None:
    assert (flow.name, flow.label) == ("definitions.flow", "3")


@pytest.mark.parametrize("label", [0, -1, True, "1", 1.0])
def test_a_label_is_a_whole_number(label: object) -> None:
    with pytest.raises(InvalidDefinition, match="label"):
        workflow(label=label)  # type: ignore[call-overload]


def test_workflow_decorates_async_functions_only() -> None:
    with pytest.raises(InvalidDefinition, match="async def"):

        @workflow  # type: ignore[arg-type]
        def plain() -> None: ...


@pytest.mark.parametrize("name", ["", "x" * 129, "a\0b", "two\nlines", "\ud800"])
def test_a_signals_name_can_be_stored_and_typed(name: str) -> None:
    with pytest.raises(InvalidDefinition, match="1 to 128 bytes"):
        Signal(name, str)


def test_a_bound_call_is_checked_when_it_is_bound() -> None:
    with pytest.raises(TypeError):
        read.bind()  # type: ignore[call-arg]


def test_definitions_have_a_readable_repr() -> None:
    assert isinstance(pay, Activity)
    assert repr(pay) == "<activity definitions.pay>"
    assert repr(flow) == "<workflow definitions.flow label 3>"
    assert repr(Signal("s", int)) == "Signal('s', int)"
