"""What Python does not announce: clocks, randomness, the environment, looked up by name.

For as long as a step lasts, names in a few dictionaries stand for functions that refuse.
They are exchanged when a step begins and put back afterwards, so that nothing is slowed
outside; steps that follow one another in a loop share one exchange, or it would cost more
than they do. Whoever calls one meanwhile and is no step gets the real thing. A method of
an object in the middle catches everything built on it: `uuid4` asks `os.urandom`,
`randint` the hidden generator of `random`, `os.getenv` the encoder of `os.environ`.

`from time import time` copies the function into the importing module. The application's
modules that a workflow can reach are searched for such copies before its first run.
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
from continuum.guard.verdict import TRUSTED, judge

__all__ = ["NameGuard"]

# Every name costs each step some 40 ns: those that measure the processor's time are left to the scanner.
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")

# These read the clock only when they are not given a time, as their argument of this number.
_FORMATTERS = {"localtime": 1, "gmtime": 1, "ctime": 1, "strftime": 2}

_GENERATOR: Any = vars(random)["_inst"]
_UUID: Any = uuid
_THREADING: Any = threading

_Parts: TypeAlias = tuple[Any, Any, Any, Any]

Refusal: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Takes a function and returns the one that stands in its place while a step runs."""


class Watched:
    """Names of one dictionary that are exchanged for as long as a step lasts."""

    __slots__ = ("found", "guards", "names", "originals", "read", "refusals")

    def __init__(self, names: dict[str, Any], refusals: Mapping[str, Refusal]) -> None:
        self.names = names
        self.refusals = {name: refusal for name, refusal in refusals.items() if callable(names.get(name))}
        self.originals: dict[str, Any] = {}
        self.guards: dict[str, Any] = {}
        self.read_again()

    def read_again(self) -> None:
        """Take what stands there now for the original: somebody else may have put it there."""
        there = [name for name in self.refusals if name in self.names]
        # Another thread that ends its step just now has not put everything back yet.
        self.originals = {
            name: self.originals[name] if self.names[name] is self.guards.get(name) else self.names[name]
            for name in there
        }
        self.guards = {name: self.refusals[name](self.originals[name]) for name in there}
        self.read: Callable[[dict[str, Any]], Any] = itemgetter(*there) if there else _nothing
        self.found = self.read(self.originals)


def _nothing(_: dict[str, Any]) -> None:
    """Read no name at all."""


def _refusal(kind: Kind, name: str, *, harmless_with: int = 0) -> Refusal:
    """Return what makes a refusing function; with so many arguments the call reads nothing."""

    def refusal(original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if current() is not None and not (0 < harmless_with <= len(args) and args[-1] is not None):
                judge(kind, name, sys._getframe(1))
            return original(*args, **kwargs)

        return guarded

    return refusal


_DRAWS = {name: _refusal(Kind.RANDOM, f"random.{name}()") for name in ("random", "getrandbits")}


class Hidden:
    """What stands behind functions of the standard library; nobody else puts anything there.

    One by one: for so few names that is cheaper than dictionaries.
    """

    __slots__ = ("guards", "originals")

    def __init__(self) -> None:
        self.originals: _Parts = (
            _GENERATOR.random,
            _GENERATOR.getrandbits,
            os.environ.encodekey,
            _UUID._generate_time_safe,
        )
        draw, draw_bits, encode, unique = self.originals
        self.guards: _Parts = (
            _DRAWS["random"](draw),
            _DRAWS["getrandbits"](draw_bits),
            _refusal(Kind.ENVIRONMENT, "os.environ")(encode),
            # Without the system's generator there is none, and uuid1() asks the clock.
            None if unique is None else _refusal(Kind.UUID, "uuid.uuid1()")(unique),
        )

    def exchange(self, parts: _Parts) -> None:
        """Put `parts` where they belong."""
        # Methods of the generator look these up on it; the originals shadow the same methods of its class.
        _GENERATOR.random, _GENERATOR.getrandbits, os.environ.encodekey, _UUID._generate_time_safe = parts


class NameGuard:
    """Exchanges the names of a process around steps, which may nest and run in several threads."""

    __slots__ = ("_copied", "_exchanged", "_hidden", "_resting", "_seen", "_watched", "lowered")

    def __init__(self) -> None:
        self.lowered = 0
        self._exchanged = self._resting = False
        self._watched = [Watched(names, refusals) for names, refusals in _public()]
        self._hidden = Hidden()
        self._copied: dict[Any, Refusal] = {
            original: watched.refusals[name]
            for watched in self._watched
            for name, original in watched.originals.items()
            if type(original) is BuiltinFunctionType
        }
        if sys.version_info < (3, 12):
            # Announced since. Beginning a thread takes long enough to exchange nothing for it.
            begin = _refusal(Kind.THREAD, "_thread.start_new_thread()")
            _THREADING._start_new_thread = begin(_THREADING._start_new_thread)
        # The dictionaries are kept, so that an id stays theirs.
        self._seen: dict[int, dict[str, Any]] = {}

    def watch(self, program: Coroutine[Any, Any, Any]) -> None:
        """Find copies of the names in the modules that a run's code reaches."""
        frame = getattr(program, "cr_frame", None)
        if frame is not None and id(frame.f_globals) not in self._seen:
            self._search(frame.f_globals)

    def __enter__(self) -> None:
        """Exchange the names, unless another step has."""
        self.lowered += 1
        if not self._exchanged:
            self._exchange()

    def __exit__(self, *exception: object) -> None:
        """Have the names put back once the loop has run what is ready now, further steps among it."""
        self.lowered -= 1
        if self.lowered or self._resting:
            return
        loop = _get_running_loop()
        if loop is None:
            self.rest()
        else:
            self._resting = True
            loop.call_soon(self.rest)

    def rest(self) -> None:
        """Put the names back, unless a step goes on."""
        self._resting = False
        if self._exchanged and not self.lowered:
            self._put_back()

    def _exchange(self) -> None:
        self._exchanged = True
        for watched in self._watched:
            names = watched.names
            try:
                if watched.read(names) != watched.found:
                    watched.read_again()
            except KeyError:
                watched.read_again()
            names |= watched.guards
        self._hidden.exchange(self._hidden.guards)

    def forget(self) -> None:
        """Put the names back in a forked child, where no step goes on."""
        self.lowered = 0
        self.rest()

    def _put_back(self) -> None:
        self._exchanged = False
        for watched in self._watched:
            names = watched.names
            names |= watched.originals
        self._hidden.exchange(self._hidden.originals)

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
    """Whether a module is the application's own: of the package the run comes from, or not installed."""
    if _package(names) in TRUSTED or _package(names) in sys.stdlib_module_names:
        return False
    return _package(names) == package or "-packages" not in (names.get("__file__") or "")


def _modules_in(names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the modules that code in a module reaches by name: those it imported, whole or in part."""
    for value in list(names.values()):
        kind = type(value)
        if kind is FunctionType:
            yield value.__globals__
        elif kind is ModuleType:
            yield value.__dict__
        elif kind is type and (module := sys.modules.get(value.__module__)) is not None:
            yield module.__dict__


def _public() -> Iterator[tuple[dict[str, Any], dict[str, Refusal]]]:
    """Yield modules with the names to guard in them; tests put functions of their own there."""
    yield (
        time.__dict__,
        {name: _refusal(Kind.CLOCK, f"time.{name}()") for name in _CLOCKS}
        | {name: _refusal(Kind.CLOCK, f"time.{name}()", harmless_with=n) for name, n in _FORMATTERS.items()}
        | {"sleep": _refusal(Kind.SLEEP, "time.sleep()")},
    )
    yield (
        os.__dict__,
        {
            # Behind exists() and the like; other access to files is announced.
            "stat": _refusal(Kind.FILE, "os.stat()"),
            "urandom": _refusal(Kind.RANDOM, "os.urandom()"),
        },
    )
    yield random.__dict__, {**_DRAWS, "_urandom": _refusal(Kind.RANDOM, "os.urandom()")}
