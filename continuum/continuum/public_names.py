"""`give_public_names` and `public_in`: the module that users import a name from, in its `__module__`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import TypeVar, get_type_hints

PACKAGE = "continuum"
KIT = "continuum.testing"

T = TypeVar("T")


def give_public_names(values: Iterable[object]) -> None:
    """Set the module of every class and function among `values` to `continuum`.

    Exception names are journaled, names of objects enter version hashes, and tracebacks show both: none of
    them may depend on the file that holds a class, or on when it was loaded. So the package that holds a
    public name calls this while it is imported. `errors.py` does the same for its own classes.
    """
    for value in values:
        if isinstance(value, type | FunctionType) and value.__module__.startswith(f"{PACKAGE}."):
            if is_dataclass(value):
                # Annotations are text that is resolved in the class's module: resolve them before it changes.
                # Libraries read them from the class or, like pydantic, from its fields.
                hints = value.__annotations__ = get_type_hints(value, include_extras=True)
                for field in fields(value):
                    field.type = hints[field.name]
            value.__module__ = PACKAGE


def public_in(module: str) -> Callable[[T], T]:
    """Return a decorator that sets the module of one class or function, where it is defined.

    An error is shown with that module also if its name was never imported from there.
    """

    def name_module(named: T) -> T:
        named.__module__ = module
        return named

    return name_module
