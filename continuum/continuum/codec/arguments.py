"""The arguments of a call, bound to a signature once and stored without it.

A stored call is `[positional, keywords]` exactly as it was made. Defaults are
not stored, so old calls still bind after a parameter with a default is added.
A caller that does not have the function writes the same with `encode_arguments`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from inspect import Parameter
from types import MappingProxyType
from typing import Any

from continuum.codec.completeness import Check, completeness_check
from continuum.codec.encode_errors import explain_encode_error
from continuum.codec.reading import unpack
from continuum.codec.shape_of_type import Undecodable, fit_of, shape_of
from continuum.codec.shapes import Fit, Mismatch, fit_deep, key_step
from continuum.codec.writing import pack
from continuum.errors import DurableTermError
from continuum.failures.exception_text import message_of
from continuum.quoting import shortened

# What lets code take a call that does not fit it.
TAKE_OLD_CALLS = "give a new parameter a default, and keep one that old calls pass"
_NO_KEYWORDS: dict[str, Any] = {}
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def encode_arguments(args: Sequence[object], kwargs: Mapping[str, object], *, path: str = "input") -> bytes:
    """Encode a call of a function that this process does not have."""
    try:
        return pack([list(args), dict(kwargs)])
    except Exception as error:
        named = {f"{path}[{index}]": value for index, value in enumerate(args)}
        named |= {f"{path}{key_step(name)}": value for name, value in kwargs.items()}
        raise _explain_argument_error(named, path, error) from error


def _explain_argument_error(named: Mapping[str, object], path: str, error: Exception) -> DurableTermError:
    for where, value in named.items():
        try:
            pack(value)
        except Exception as fault:  # noqa: BLE001 - it becomes the error
            return explain_encode_error(value, where, fault)
    return explain_encode_error(list(named.values()), path, error)


def unreadable_input(error: DurableTermError) -> str:
    """Return that code cannot read the input of a run, where and why, with the word input in it once."""
    part = error.path.removeprefix("input").lstrip(".")
    where = f" at {shortened(part)}" if part else ""
    return f"the code cannot read its input{where}: {error.reason}"


class ArgumentsCodec:
    """Store and read back the arguments of calls to one function."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        path: str = "input",
        names: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._function = function
        self._names = names
        self._path = path
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        self._positional = [p for p in parameters if p.kind in _POSITIONAL]
        self._rest = next((p for p in parameters if p.kind is Parameter.VAR_POSITIONAL), None)
        self._more = next((p for p in parameters if p.kind is Parameter.VAR_KEYWORD), None)
        required = [
            p for p in parameters if p.default is Parameter.empty and p not in (self._rest, self._more)
        ]
        self._required = {p.name: p for p in required}
        keyword_only = any(p.kind is Parameter.KEYWORD_ONLY for p in required)
        # A call with this many positional arguments and no keywords always binds.
        self._fewest = sum(p.kind in _POSITIONAL for p in required) if not keyword_only else 1 << 30
        self._most = len(self._positional) if self._rest is None else 1 << 30
        self._check: Check | None = self._first_check

    def encode_call(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, incomplete: bool = False
    ) -> bytes:
        """Encode a call; raises TypeError exactly when calling the function would.

        `incomplete` takes values that would come back as other ones, too.
        """
        if kwargs or not self._fewest <= len(args) <= self._most:
            self.check_fits(args, kwargs)
        try:
            call = [list(args), dict(kwargs) if kwargs else _NO_KEYWORDS]
            return pack(call, None if incomplete else self._check)
        except DurableTermError:
            raise
        except Exception as error:
            named = {f"{self._path}.{self._name_of(index)}": value for index, value in enumerate(args)}
            named |= {f"{self._path}{key_step(name)}": value for name, value in kwargs.items()}
            raise _explain_argument_error(named, self._path, error) from error

    def decode_call(self, data: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode a stored call, each argument by the annotation of its parameter."""
        try:
            args, kwargs = unpack(data)
            if type(args) is not list or type(kwargs) is not dict:
                raise TypeError("no arguments in it")
        except Exception as error:
            raise DurableTermError(self._path, f"not a stored call: {shortened(error)}") from error
        if kwargs or not self._fewest <= len(args) <= self._most:
            self._check_stored(args, kwargs)
        index, fits = 0, self._fits
        try:
            for index, value in enumerate(args):
                kept, fit = fits[index] if index < len(fits) else self._rest_fit
                if value.__class__ not in kept and fit is not None:
                    args[index] = fit_deep(fit, value)
        except Mismatch as mismatch:
            where = f"{self._path}.{self._name_of(index)}{mismatch.where}"
            raise DurableTermError(where, mismatch.reason) from mismatch
        except Exception as error:
            where = f"{self._path}.{self._name_of(index)}"
            raise DurableTermError(
                where, f"{type(error).__name__}: {shortened(message_of(error))}"
            ) from error
        return tuple(args), self._fit_keywords(kwargs) if kwargs else kwargs

    def check_fits(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError, as the call itself would, unless it takes these arguments."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._function.__qualname__}() {shortened(error)}") from None

    def takes_keyword(self, name: str, given: int) -> bool:
        """Whether a call with `given` positional arguments may also have the keyword `name`."""
        parameter = self.signature.parameters.get(name)
        if parameter is None or parameter.kind not in (
            Parameter.POSITIONAL_OR_KEYWORD,
            Parameter.KEYWORD_ONLY,
        ):
            return self._more is not None
        return parameter not in self._positional[:given]

    def _first_check(self, call: Sequence[Any], has_classes: bool) -> None:
        self._check = self._make_check()
        if self._check is not None:
            self._check(call, has_classes)

    def _make_check(self) -> Check | None:
        """Make the function that refuses arguments that would not come back whole."""
        positional = [self._check_for(parameter) for parameter in self._positional]
        by_name = {name: self._check_for(parameter) for name, parameter in self.signature.parameters.items()}
        if not any(by_name.values()):
            return None
        rest = by_name[self._rest.name] if self._rest is not None else None
        more = by_name[self._more.name] if self._more is not None else None

        needed = [(index, check) for index, check in enumerate(positional) if check is not None]

        def check_call(call: Sequence[Any], has_classes: bool) -> None:
            args, kwargs = call
            try:
                given = len(args)
                for index, check in needed:
                    if index < given:
                        check(args[index], has_classes)
                if kwargs or given > len(positional):
                    check_each(args, kwargs, has_classes)
            except Mismatch:
                check_each(args, kwargs, has_classes)

        def check_each(args: list[Any], kwargs: dict[str, Any], has_classes: bool) -> None:
            for index, value in enumerate(args):
                check = positional[index] if index < len(positional) else rest
                self._check_argument(check, f".{self._name_of(index)}", value, has_classes)
            for name, value in kwargs.items():
                self._check_argument(by_name.get(name, more), key_step(name), value, has_classes)

        return check_call

    def _check_argument(self, check: Check | None, step: str, value: Any, has_classes: bool) -> None:
        if check is None:
            return
        try:
            check(value, has_classes)
        except Mismatch as mismatch:
            raise DurableTermError(f"{self._path}{step}{mismatch.where}", mismatch.reason) from mismatch

    def _check_for(self, parameter: Parameter) -> Check | None:
        hint = self.annotations.get(parameter.name, Any)
        return None if typing.get_origin(hint) is typing.Unpack else completeness_check(hint)

    def _check_stored(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise DurableTermError(
                self._path,
                f"the stored call does not fit {self._function.__qualname__}(): {shortened(error)}; "
                + TAKE_OLD_CALLS,
            ) from error

    def _fit_keywords(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        by_name = self._fits_by_name
        for name, value in kwargs.items():
            fit = by_name.get(name, self._more_fit)
            if fit is not None:
                try:
                    kwargs[name] = fit_deep(fit, value)
                except Mismatch as mismatch:
                    where = f"{self._path}{key_step(name)}{mismatch.where}"
                    raise DurableTermError(where, mismatch.reason) from mismatch
        return kwargs

    def _name_of(self, index: int) -> str:
        if index < len(self._positional):
            return self._positional[index].name
        assert self._rest is not None
        return f"{self._rest.name}[{index - len(self._positional)}]"

    # Annotations are resolved on first use: when the function is defined, classes
    # further down in its module do not exist yet.

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """The annotations of the parameters by name; a parameter without one takes anything."""
        return resolve_hints(self._function, self._names)

    @cached_property
    def _fits(self) -> list[tuple[frozenset[type], Fit | None]]:
        return [self._kept_and_fit(parameter) for parameter in self._positional]

    @cached_property
    def _fits_by_name(self) -> dict[str, Fit | None]:
        named = (p for p in self.signature.parameters.values() if p not in (self._rest, self._more))
        return {p.name: self._fit_for(p) for p in named if p.kind is not Parameter.POSITIONAL_ONLY}

    @cached_property
    def _rest_fit(self) -> tuple[frozenset[type], Fit | None]:
        return self._kept_and_fit(self._rest) if self._rest is not None else (frozenset(), None)

    @cached_property
    def _more_fit(self) -> Fit | None:
        return self._fit_for(self._more) if self._more is not None else None

    def _kept_and_fit(self, parameter: Parameter) -> tuple[frozenset[type], Fit | None]:
        """Return the types whose values stay unchanged, and what makes the others fit."""
        fit = self._fit_for(parameter)
        return frozenset() if fit is None else shape_of(self.annotations[parameter.name]).keeps, fit

    def _fit_for(self, parameter: Parameter) -> Fit | None:
        hint = self.annotations.get(parameter.name, Any)
        if typing.get_origin(hint) is typing.Unpack:
            return None
        try:
            return fit_of(hint)
        except Undecodable as error:
            raise DurableTermError(f"{self._path}.{parameter.name}", str(error)) from error


def resolve_hints(
    function: Callable[..., Any], names: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Resolve the annotations of a function; leave those with unknown names as text.

    `names` are names that its annotations mention and its module does not have.
    """
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    known: dict[str, Any] = dict(names)
    for name, cell in zip(code.co_freevars if code is not None else (), cells, strict=False):
        try:
            known[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    try:
        return typing.get_type_hints(function, localns=known or None, include_extras=True)
    except Exception:  # noqa: BLE001 - one bad annotation must not spoil the others
        hints = {}
        for name, hint in getattr(function, "__annotations__", {}).items():
            hints[name] = _resolve_one(function, name, hint, known)
        return hints


def _resolve_one(function: Callable[..., Any], name: str, hint: Any, known: dict[str, Any]) -> Any:
    alone = type("Alone", (), {"__annotations__": {name: hint}})
    try:
        return typing.get_type_hints(
            alone, globalns=getattr(function, "__globals__", {}), localns=known, include_extras=True
        )[name]
    except Exception:  # noqa: BLE001 - kept as text: `shape_of_type` reports it when the class is needed
        return hint
