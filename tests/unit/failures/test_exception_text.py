"""Any exception can be described, whatever its own code does when it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from continuum.definitions.call_outcome import outcome_of_call
from continuum.failures.exception_text import exception_name, exception_names
from continuum_actors.host import limits
from continuum_actors.host.failures import describe_error
from tests.hostile_exceptions import KINDS, Forwards, NoWords, make


@pytest.mark.parametrize("kind", KINDS)
def test_every_exception_has_a_type_a_message_and_a_traceback(kind: str) -> None:
    error = make(kind)
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - that is the subject
        type_name, message, traceback, names = describe_error(raised)
    assert type_name in names
    assert type_name.rpartition(".")[2] == type(error).__name__
    assert type(message) is str
    assert len(message) <= limits.ERROR_TEXT_CHARACTERS
    assert "test_exception_text.py" in traceback or len(traceback) == limits.TRACEBACK_CHARACTERS
    assert len(traceback) <= limits.TRACEBACK_CHARACTERS
    "".join((type_name, message, traceback)).encode()


def test_a_message_that_cannot_be_read_is_reported_with_the_reason() -> None:
    assert describe_error(NoWords())[1] == "<its message cannot be read: RuntimeError>"


def test_notes_that_cannot_be_read_leave_the_message_whole() -> None:
    assert describe_error(make("notes"))[1] == "the message\n<its notes cannot be read: KeyError>"


def test_an_exception_that_forwards_attributes_has_no_notes() -> None:
    assert describe_error(Forwards({}))[1] == "forwards"


def test_an_exception_that_cannot_be_formatted_keeps_its_frames() -> None:
    try:
        raise make("syntax")
    except SyntaxError as error:
        traceback = describe_error(error)[2]
    assert 'raise make("syntax")' in traceback
    assert traceback.endswith("<its traceback cannot be read: TypeError>\n")


def test_a_class_whose_name_raises_has_its_qualified_name() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> object:
            if name == "__module__":
                raise KeyError(name)
            return super().__getattribute__(name)

    kind: Any = Meta("Hidden", (Exception,), {})
    assert exception_name(kind) == "Hidden"


def test_a_stop_iteration_that_python_replaces_is_named() -> None:
    async def dry() -> None:
        raise StopIteration

    with pytest.raises(RuntimeError) as raised:
        dry().send(None)
    assert {"RuntimeError", "StopIteration"} <= exception_names(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_in_a_thread_carries_every_exception_as_a_value(kind: str) -> None:
    error = make(kind)

    def fails() -> None:
        raise error

    outcome = outcome_of_call(fails)
    with pytest.raises(type(error)) as raised:
        outcome.get()
    assert raised.value is error
