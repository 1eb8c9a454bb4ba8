"""Workflows seen by their positional parameters, for calls that take options beside the arguments.

A `ParamSpec` leaves no room for further keywords. So a call without options is
matched exactly, and one with options by the positional parameters of the function:
`Startable` by all of them, `StartableWithNone`, `…One` and `…Two` where mypy cannot
because the others have defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")
A_contra = TypeVar("A_contra", contravariant=True)
B_contra = TypeVar("B_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class Startable(Protocol[*Ts, R_co]):
    """A workflow, seen by its positional parameters."""

    @property
    def fn(self) -> Callable[[Unpack[Ts]], Coroutine[Any, Any, R_co]]:
        """The function behind it."""
        ...


class StartableWithOne(Protocol[A_contra, R_co]):
    """A workflow that one argument is enough for."""

    @property
    def fn(self) -> Callable[[A_contra], Coroutine[Any, Any, R_co]]:
        """The function behind it."""
        ...


class StartableWithTwo(Protocol[A_contra, B_contra, R_co]):
    """A workflow that two arguments are enough for."""

    @property
    def fn(self) -> Callable[[A_contra, B_contra], Coroutine[Any, Any, R_co]]:
        """The function behind it."""
        ...


class StartableWithNone(Protocol[R_co]):
    """A workflow that needs no argument."""

    @property
    def fn(self) -> Callable[[], Coroutine[Any, Any, R_co]]:
        """The function behind it."""
        ...
