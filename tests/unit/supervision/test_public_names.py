"""Every public name says that it lives in `continuum_supervision`, whichever file holds it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import get_type_hints

import pytest

import continuum_supervision
from continuum_supervision import (
    KILLED,
    Actor,
    ChildCount,
    ChildSpec,
    Crash,
    NoSuchChild,
    Restart,
    Shutdown,
    StartChild,
    Strategy,
    WhereIs,
)

PUBLIC = [
    name
    for name in continuum_supervision.__all__
    if isinstance(getattr(continuum_supervision, name), type | FunctionType)
]
CLASSES = [name for name in PUBLIC if isinstance(getattr(continuum_supervision, name), type)]
VALUES = [
    Restart.TRANSIENT,
    Strategy.ONE_FOR_ALL,
    KILLED,
    ChildCount(specs=2, active=1),
    WhereIs("counter"),
    StartChild(ChildSpec("counter", Actor, shutdown=Shutdown.INFINITY)),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_lives_in_the_public_package(name: str) -> None:
    assert getattr(continuum_supervision, name).__module__ == "continuum_supervision"


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_can_be_pickled_by_its_public_name(name: str) -> None:
    kind = getattr(continuum_supervision, name)
    assert pickle.loads(pickle.dumps(kind)) is kind  # noqa: S301


@pytest.mark.parametrize("name", CLASSES)
def test_the_annotations_of_a_public_class_can_be_evaluated(name: str) -> None:
    kind = getattr(continuum_supervision, name)
    assert not [hint for hint in get_type_hints(kind).values() if isinstance(hint, str)]
    if is_dataclass(kind):
        assert not [field.name for field in fields(kind) if isinstance(field.type, str)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_another_process_reads_a_pickled_value(value: object) -> None:
    program = "import pickle, sys; print(repr(pickle.load(sys.stdin.buffer)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(value),
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    assert done.stdout.decode() == f"{value!r}\n"


def test_a_crash_keeps_its_exception_when_it_is_pickled() -> None:
    copy = pickle.loads(pickle.dumps(Crash(ValueError("broken"))))  # noqa: S301
    assert isinstance(copy, Crash)
    assert repr(copy.exception) == "ValueError('broken')"


def test_a_traceback_shows_the_public_name() -> None:
    shown = traceback.format_exception(NoSuchChild("counter"))
    assert shown[-1].startswith("continuum_supervision.NoSuchChild: no child has the id 'counter'")
