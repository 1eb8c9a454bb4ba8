"""Who made a forbidden call, whether it may, and what it is told.

Machinery that works beside user code may do as it likes: logging reads the clock, an
import opens files, a debugger prompts. User code may not, through whichever module of
the standard library it goes.
"""

from __future__ import annotations

import gc
import sys
from types import CodeType, FrameType

from continuum.engine.call_site import where
from continuum.engine.loop.current import current
from continuum.errors import DeterminismError
from continuum.guard.calls import Kind

__all__ = ["judge"]

# Whatever runs below a call of these is theirs: no result of it reaches the workflow's decisions.
MACHINERY = frozenset(
    (
        *("logging", "warnings", "traceback", "linecache", "importlib", "zipimport", "weakref", "zoneinfo"),
        *("bdb", "pdb", "coverage", "_pytest", "debugpy", "pydevd", "_pydevd_bundle", "_pydevd_frame_eval"),
    )
)

# Their own calls are part of running a workflow; what they call back is judged by itself.
TRUSTED = frozenset(
    (
        *("continuum", "continuum_actors", "continuum_supervision", "continuum_migrations"),
        *("cattrs", "attr", "attrs", "msgpack", "pydantic"),
    )
)

# They ask a factory that a field names for its default: what it reads or draws is the application's doing.
_ASKS_FACTORIES = "pydantic"
_DRAWN = frozenset((Kind.CLOCK, Kind.RANDOM, Kind.UUID))

# Where the standard library defines what is known by another name.
_INHERITED = {"random.Random.": "random.", "pathlib.PathBase.": "pathlib.Path."}


def judge(kind: Kind, name: str, frame: FrameType) -> None:
    """Raise `DeterminismError` when `frame`, which calls `name`, belongs to the code of a run."""
    run = current()
    if run is None or run.log.in_side_effect or run.log.closing:
        return
    culprit: FrameType | None = None
    # The function of the standard library that the culprit called, and who called the culprit.
    through: FrameType | None = None
    caller: FrameType | None = None
    visitors = _visitors()
    step: FrameType | None = frame
    while step is not None:
        module = step.f_globals.get("__name__", "")
        if module == "asyncio.events":
            break  # the callback of a task: what is below drives the run
        package = module.partition(".")[0]
        code = step.f_code
        if package in MACHINERY or code.co_name == "__del__" or code in visitors:
            return
        if culprit is None:
            if package in TRUSTED:
                if package != _ASKS_FACTORIES or through is None or kind not in _DRAWN:
                    return
            elif package in sys.stdlib_module_names:
                through = step
            else:
                culprit = step
        elif package not in TRUSTED and package not in sys.stdlib_module_names:
            caller = step
        step = step.f_back
    if through is not None:
        name = _public_name(through) or name
    raise DeterminismError(f"{name} {_place(culprit, caller)} {_kind_of(kind, name).value}")


def _visitors() -> set[CodeType]:
    """The collector's callbacks run wherever it happens to start."""
    return {callback.__code__ for callback in gc.callbacks if hasattr(callback, "__code__")}


def _kind_of(kind: Kind, name: str) -> Kind:
    """uuid4() is noticed when it draws its bytes."""
    return Kind.UUID if kind is Kind.RANDOM and name.startswith("uuid.") else kind


def _place(culprit: FrameType | None, caller: FrameType | None) -> str:
    if culprit is None:
        return "in a callback"
    place = f"at {where((culprit.f_code, culprit.f_lasti))}"
    if caller is not None and caller.f_code.co_filename != culprit.f_code.co_filename:
        place += f", called from {where((caller.f_code, caller.f_lasti))},"
    return place


def _public_name(frame: FrameType) -> str | None:
    """Return what a user calls the function that runs in `frame`, e.g. ``pathlib.Path.read_text()``."""
    package, *inner = frame.f_globals["__name__"].split(".")
    name = frame.f_code.co_qualname.removesuffix(".__init__")
    if any(part.startswith(("_", "<")) for part in (package, *name.split("."))):
        return None
    full = ".".join((package, *(part for part in inner if not part.startswith("_")), name))
    for inside, public in _INHERITED.items():
        full = full.replace(inside, public)
    return f"{full}()"
