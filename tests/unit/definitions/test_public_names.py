"""Every public name has the module `continuum`, so that no path of a file enters the journal."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import get_type_hints

import pydantic
import pytest

import continuum
from continuum import errors
from continuum.failures.exception_text import exception_name

PUBLIC = [name for name in continuum.__all__ if isinstance(getattr(continuum, name), type | FunctionType)]
CLASSES = [name for name in PUBLIC if isinstance(getattr(continuum, name), type)]
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.ContinuumError)
]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_the_public_module(name: str) -> None:
    assert getattr(continuum, name).__module__ == "continuum"


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_can_be_pickled_by_its_public_name(name: str) -> None:
    assert pickle.loads(pickle.dumps(getattr(continuum, name))) is getattr(continuum, name)  # noqa: S301


@pytest.mark.parametrize("name", [name for name in CLASSES if is_dataclass(getattr(continuum, name))])
def test_the_fields_of_a_public_data_class_have_types(name: str) -> None:
    kind = getattr(continuum, name)
    assert not [hint for hint in get_type_hints(kind).values() if isinstance(hint, str)]
    assert not [field.name for field in fields(kind) if isinstance(field.type, str)]


@pytest.mark.parametrize("kind", [continuum.Run, continuum.Event, continuum.Page, continuum.RunInfo])
def test_a_pydantic_model_may_hold_a_public_data_class(kind: type) -> None:
    """A web application returns runs and pages of them."""
    model = pydantic.create_model("Answer", held=(kind, ...))
    assert kind.__name__ in model.model_json_schema()["$defs"]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_is_journaled_under_its_public_name(kind: type[BaseException]) -> None:
    assert exception_name(kind) == f"continuum.{kind.__name__}"
    assert getattr(continuum, kind.__name__) is kind


def test_a_traceback_shows_the_public_name() -> None:
    shown = traceback.format_exception(errors.NotReady("the node is starting"))
    assert shown[-1] == "continuum.NotReady: the node is starting\n"
