"""Deciding whether a call comes from workflow code, and the error that refuses it.

Some machinery may do anything while workflow code runs: logging reads the clock, an import
opens files, a debugger prompts. Workflow code may not, whichever module of the standard
library it goes through.
"""

from __future__ import annotations

import gc
import sys
from types import CodeType, FrameType

from continuum.engine.call_site import where
from continuum.engine.loop.current import current
from continuum.errors import DeterminismError
from continuum.guard.calls import Kind

__all__ = ["refuse_if_workflow"]

# Everything that runs inside a call of these is allowed: its results do not reach the workflow's decisions.
MACHINERY = frozenset(
    (
        *("logging", "warnings", "traceback", "linecache", "importlib", "zipimport", "weakref", "zoneinfo"),
        *(
            "bdb",
            "pdb",
            "debugpy",
            "pydevd",
            "_pydevd_bundle",
            "_pydevd_frame_eval",
            "ipdb",
            "IPython",
            "pudb",
        ),
        *("coverage", "_pytest"),
    )
)

# The calls of these packages are part of running a workflow. The code that they call back is checked
# on its own.
TRUSTED = frozenset(
    (
        *("continuum", "continuum_actors", "continuum_supervision", "continuum_migrations"),
        *("cattrs", "attr", "attrs", "msgpack", "pydantic"),
    )
)

# It calls the default factory of a field. If that reads a clock or makes random values, the application
# is responsible for it.
_CALLS_FACTORIES = "pydantic"
_NOT_REPEATABLE = frozenset((Kind.CLOCK, Kind.RANDOM, Kind.UUID))

# Where the standard library defines a function that is known by another name.
_INHERITED = {"random.Random.": "random.", "pathlib.PathBase.": "pathlib.Path."}


def refuse_if_workflow(kind: Kind, name: str, frame: FrameType) -> None:
    """Raise `DeterminismError` if `frame`, which calls `name`, belongs to the code of a run."""
    run = current()
    if run is None or run.log.in_side_effect or run.log.closing:
        return
    culprit: FrameType | None = None
    # The function of the standard library that the culprit called, and the caller of the culprit.
    through: FrameType | None = None
    caller: FrameType | None = None
    callbacks = _collector_callbacks()
    step: FrameType | None = frame
    while step is not None:
        module = step.f_globals.get("__name__", "")
        if module == "asyncio.events":
            break  # the callback of a task: the frames below drive the run
        package = module.partition(".")[0]
        code = step.f_code
        if package in MACHINERY or code.co_name == "__del__" or code in callbacks:
            return
        if culprit is None:
            if package in TRUSTED:
                if package != _CALLS_FACTORIES or through is None or kind not in _NOT_REPEATABLE:
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


def _collector_callbacks() -> set[CodeType]:
    """Return the code of the garbage collector's callbacks, which run wherever a collection starts."""
    return {callback.__code__ for callback in gc.callbacks if hasattr(callback, "__code__")}


def _kind_of(kind: Kind, name: str) -> Kind:
    """Return `kind`, or UUID for `uuid4()`, which is noticed when it gets its random bytes."""
    return Kind.UUID if kind is Kind.RANDOM and name.startswith("uuid.") else kind


def _place(culprit: FrameType | None, caller: FrameType | None) -> str:
    if culprit is None:
        return "in a callback"
    place = f"at {where((culprit.f_code, culprit.f_lasti))}"
    if caller is not None and caller.f_code.co_filename != culprit.f_code.co_filename:
        place += f", called from {where((caller.f_code, caller.f_lasti))},"
    return place


def _public_name(frame: FrameType) -> str | None:
    """Return the public name of the function in `frame`, for example ``pathlib.Path.read_text()``."""
    package, *inner = frame.f_globals["__name__"].split(".")
    name = frame.f_code.co_qualname.removesuffix(".__init__")
    if any(part.startswith(("_", "<")) for part in (package, *name.split("."))):
        return None
    full = ".".join((package, *(part for part in inner if not part.startswith("_")), name))
    for inside, public in _INHERITED.items():
        full = full.replace(inside, public)
    return f"{full}()"
