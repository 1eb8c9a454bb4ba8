"""Every public name of the testing kit has the module that users import it from."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import get_type_hints

import pytest

import continuum.testing

PUBLIC = [name for name in dir(continuum.testing) if not name.startswith("_")]
CLASSES = [name for name in PUBLIC if isinstance(getattr(continuum.testing, name), type)]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_of_the_kit_has_the_public_module(name: str) -> None:
    value = getattr(continuum.testing, name)
    assert value.__module__ == "continuum.testing"
    assert pickle.loads(pickle.dumps(value)) is value  # noqa: S301


@pytest.mark.parametrize("name", CLASSES)
def test_the_annotations_of_a_public_class_of_the_kit_have_types(name: str) -> None:
    hints = get_type_hints(getattr(continuum.testing, name))
    assert not [hint for hint in hints.values() if isinstance(hint, str)]


def test_an_error_has_the_public_module_although_its_name_was_not_imported() -> None:
    """The kit raises it in tests that import `env` alone."""
    program = (
        "import sys; from continuum.testing import env; "
        "print(sys.modules['continuum.testing.waiting'].StillWaiting.__module__)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert printed.stdout == "continuum.testing\n"
