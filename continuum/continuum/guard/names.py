"""Calls without an audit event: clocks, randomness, the environment. They are guarded by name.

During a step, names in a few dictionaries refer to functions that refuse. They are replaced
when a step begins and restored afterwards, so that nothing is slower outside. Steps that
follow one another in a loop share one replacement, which would otherwise cost more than the
steps. A caller that is not a step gets the real function meanwhile. Guarding one inner method
covers everything built on it: `uuid4` calls `os.urandom`, `randint` the hidden generator of
`random`, `os.getenv` the encoder of `os.environ`.

`from time import time` copies the function into the importing module. Before a workflow
first runs, the application's modules that it can reach are searched for such copies.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import uuid
from asyncio.events import _get_running_loop
from collections.abc import Callable, Coroutine, Iterator, Mapping
from operator import itemgetter
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, TypeAlias

from continuum.engine.loop.current import current
from continuum.guard.calls import Kind
from continuum.guard.verdict import TRUSTED, refuse_if_workflow

__all__ = ["NameGuard"]

# Every name costs each step some 40 ns, so the scanner alone looks for clocks of processor time.
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")

# These read the clock only without a time; the number is the position of that argument.
_FORMATTERS = {"localtime": 1, "gmtime": 1, "ctime": 1, "strftime": 2}

_GENERATOR: Any = vars(random)["_inst"]
_UUID: Any = uuid
_THREADING: Any = threading

_Parts: TypeAlias = tuple[Any, Any, Any, Any]

Refusal: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Takes a function and returns the one that replaces it while a step runs."""


class Watched:
    """The names of one dictionary that are replaced while a step runs."""

    __slots__ = ("found", "guards", "names", "originals", "read", "refusals")

    def __init__(self, names: dict[str, Any], refusals: Mapping[str, Refusal]) -> None:
        self.names = names
        self.refusals = {name: refusal for name, refusal in refusals.items() if callable(names.get(name))}
        self.originals: dict[str, Any] = {}
        self.guards: dict[str, Any] = {}
        self.read_again()

    def read_again(self) -> None:
        """Take the present values as the originals: other code may have replaced them."""
        present = [name for name in self.refusals if name in self.names]
        # Another thread that is just ending its step has not restored everything yet.
        self.originals = {
            name: self.originals[name] if self.names[name] is self.guards.get(name) else self.names[name]
            for name in present
        }
        self.guards = {name: self.refusals[name](self.originals[name]) for name in present}
        self.read: Callable[[dict[str, Any]], Any] = itemgetter(*present) if present else _nothing
        self.found = self.read(self.originals)


def _nothing(_: dict[str, Any]) -> None:
    """Read no name at all."""


def _refusal(kind: Kind, name: str, *, harmless_with: int = 0) -> Refusal:
    """Return a maker of refusing functions; a call with `harmless_with` arguments is allowed."""

    def refusal(original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if current() is not None and not (0 < harmless_with <= len(args) and args[-1] is not None):
                refuse_if_workflow(kind, name, sys._getframe(1))
            return original(*args, **kwargs)

        return guarded

    return refusal


_RANDOM_METHODS = {name: _refusal(Kind.RANDOM, f"random.{name}()") for name in ("random", "getrandbits")}


class Hidden:
    """Internals behind functions of the standard library, which no other code replaces.

    They are replaced one by one: for so few names that is cheaper than dictionaries.
    """

    __slots__ = ("guards", "originals")

    def __init__(self) -> None:
        self.originals: _Parts = (
            _GENERATOR.random,
            _GENERATOR.getrandbits,
            os.environ.encodekey,
            _UUID._generate_time_safe,
        )
        random_method, bits_method, encode, generate_uuid = self.originals
        self.guards: _Parts = (
            _RANDOM_METHODS["random"](random_method),
            _RANDOM_METHODS["getrandbits"](bits_method),
            _refusal(Kind.ENVIRONMENT, "os.environ")(encode),
            # None where the system has no generator; uuid1() then reads the clock, which is guarded too.
            None if generate_uuid is None else _refusal(Kind.UUID, "uuid.uuid1()")(generate_uuid),
        )

    def set(self, parts: _Parts) -> None:
        """Put `parts` in their places."""
        # Other methods of the generator look these up on it. The originals shadow equal methods of its class.
        _GENERATOR.random, _GENERATOR.getrandbits, os.environ.encodekey, _UUID._generate_time_safe = parts


class NameGuard:
    """Replaces names of the process around steps, which may nest and run in several threads.

    `steps` counts those that are running.
    """

    __slots__ = ("_copied", "_hidden", "_replaced", "_resting", "_seen", "_watched", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self._replaced = self._resting = False
        self._watched = [Watched(names, refusals) for names, refusals in _public()]
        self._hidden = Hidden()
        self._copied: dict[Any, Refusal] = {
            original: watched.refusals[name]
            for watched in self._watched
            for name, original in watched.originals.items()
            if type(original) is BuiltinFunctionType
        }
        if sys.version_info < (3, 12):
            # Since 3.12 starting a thread raises an audit event. It is slow anyway, so this guard may stay.
            begin = _refusal(Kind.THREAD, "_thread.start_new_thread()")
            _THREADING._start_new_thread = begin(_THREADING._start_new_thread)
        # It keeps the dictionaries alive, so that no other object gets their id.
        self._seen: dict[int, dict[str, Any]] = {}

    def watch(self, program: Coroutine[Any, Any, Any]) -> None:
        """Find copies of the guarded functions in the modules that a run's code can reach."""
        frame = getattr(program, "cr_frame", None)
        if frame is not None and id(frame.f_globals) not in self._seen:
            self._search(frame.f_globals)

    def __enter__(self) -> None:
        """Replace the names, unless another step has."""
        self.steps += 1
        if not self._replaced:
            self._replace()

    def __exit__(self, *exception: object) -> None:
        """Restore the names once the loop has run what is ready now, which may be more steps."""
        self.steps -= 1
        if self.steps or self._resting:
            return
        loop = _get_running_loop()
        if loop is None:
            self.rest()
        else:
            self._resting = True
            loop.call_soon(self.rest)

    def rest(self) -> None:
        """Restore the names, unless a step is running."""
        self._resting = False
        if self._replaced and not self.steps:
            self._restore()

    def _replace(self) -> None:
        self._replaced = True
        for watched in self._watched:
            names = watched.names
            try:
                if watched.read(names) != watched.found:
                    watched.read_again()
            except KeyError:
                watched.read_again()
            names |= watched.guards
        self._hidden.set(self._hidden.guards)

    def forget(self) -> None:
        """Restore the names in a forked child, where no step is running."""
        self.steps = 0
        self.rest()

    def _restore(self) -> None:
        self._replaced = False
        for watched in self._watched:
            names = watched.names
            names |= watched.originals
        self._hidden.set(self._hidden.originals)

    def _search(self, program_names: dict[str, Any]) -> None:
        package = _package(program_names)
        reached = [program_names]
        while reached:
            names = reached.pop()
            if id(names) not in self._seen and _is_application(names, package):
                self._seen[id(names)] = names
                if copies := dict(self._copies(names)):
                    self._watched.append(Watched(names, copies))
                reached += _modules_in(names)

    def _copies(self, names: dict[str, Any]) -> Iterator[tuple[str, Refusal]]:
        for name, value in list(names.items()):
            if type(value) is BuiltinFunctionType and (refusal := self._copied.get(value)) is not None:
                yield name, refusal


def _package(names: dict[str, Any]) -> str:
    name: str = names.get("__name__", "")
    return name.partition(".")[0]


def _is_application(names: dict[str, Any], package: str) -> bool:
    """Whether a module is the application's own: in the package of the run's code, or not installed."""
    if _package(names) in TRUSTED or _package(names) in sys.stdlib_module_names:
        return False
    return _package(names) == package or "-packages" not in (names.get("__file__") or "")


def _modules_in(names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the modules that a module imported, whole or in part."""
    for value in list(names.values()):
        kind = type(value)
        if kind is FunctionType:
            yield value.__globals__
        elif kind is ModuleType:
            yield value.__dict__
        elif kind is type and (module := sys.modules.get(value.__module__)) is not None:
            yield module.__dict__


def _public() -> Iterator[tuple[dict[str, Any], dict[str, Refusal]]]:
    """Yield modules with the names to guard in them; other code, such as tests, may replace the functions."""
    yield (
        time.__dict__,
        {name: _refusal(Kind.CLOCK, f"time.{name}()") for name in _CLOCKS}
        | {name: _refusal(Kind.CLOCK, f"time.{name}()", harmless_with=n) for name, n in _FORMATTERS.items()}
        | {"sleep": _refusal(Kind.SLEEP, "time.sleep()")},
    )
    yield (
        os.__dict__,
        {
            # `exists()` and similar functions call it; other access to files raises an audit event.
            "stat": _refusal(Kind.FILE, "os.stat()"),
            "urandom": _refusal(Kind.RANDOM, "os.urandom()"),
        },
    )
    yield random.__dict__, {**_RANDOM_METHODS, "_urandom": _refusal(Kind.RANDOM, "os.urandom()")}
