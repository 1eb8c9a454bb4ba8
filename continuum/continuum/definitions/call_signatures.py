"""Types of workflows by their positional parameters, for calls that take options besides the arguments.

A `ParamSpec` leaves no room for further keywords. So a call without options is matched exactly, and a call
with options by the positional parameters of the function: `Startable` matches all of them;
`StartableWithNone`, `…One` and `…Two` match where mypy fails because the other parameters have defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")
A_contra = TypeVar("A_contra", contravariant=True)
B_contra = TypeVar("B_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class Startable(Protocol[*Ts, R_co]):
    """A workflow, typed by its positional parameters."""

    @property
    def fn(self) -> Callable[[Unpack[Ts]], Coroutine[Any, Any, R_co]]:
        """The function of the workflow."""
        ...


class StartableWithOne(Protocol[A_contra, R_co]):
    """A workflow that can be called with one argument."""

    @property
    def fn(self) -> Callable[[A_contra], Coroutine[Any, Any, R_co]]:
        """The function of the workflow."""
        ...


class StartableWithTwo(Protocol[A_contra, B_contra, R_co]):
    """A workflow that can be called with two arguments."""

    @property
    def fn(self) -> Callable[[A_contra, B_contra], Coroutine[Any, Any, R_co]]:
        """The function of the workflow."""
        ...


class StartableWithNone(Protocol[R_co]):
    """A workflow that can be called without arguments."""

    @property
    def fn(self) -> Callable[[], Coroutine[Any, Any, R_co]]:
        """The function of the workflow."""
        ...
