"""Actors on asyncio, like OTP's: light actors, links and monitors, a registry, supervision trees.

Nothing here knows what a workflow is. Importing this package does not import Thespian: import process actors
from `continuum_supervision.process`.
"""

from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import ClassVar, get_type_hints

from .actor import Actor
from .child_lifecycle import SupervisorGaveUp
from .child_spec import ChildExists, ChildSpec, NoSuchChild, Shutdown
from .clock import Cancellable, Clock, ManualClock, SystemClock, settle
from .description import Description, Doing, Ends, Kind
from .dynamic import DynamicSupervisor, TooManyChildren
from .exits import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    ActorDied,
    Crash,
    Ending,
    ExitReason,
    ExpectedExit,
    is_abnormal,
)
from .links import MonitorId
from .ref import ActorRef, Down, Exit
from .registry import Names, NameTaken, Registry, RegistryActor, WhereIs
from .replies import NO_REPLY, ReplyTo
from .requests import (
    ChildCount,
    ChildInfo,
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from .restart import Intensity, Restart, wants_restart
from .spawning import spawn, spawn_nowait
from .strategy import Strategy, affected
from .supervisor import Supervisor

__all__ = [
    "KILLED",
    "NORMAL",
    "NO_REPLY",
    "SHUTDOWN",
    "Actor",
    "ActorDied",
    "ActorRef",
    "Cancellable",
    "ChildCount",
    "ChildExists",
    "ChildInfo",
    "ChildSpec",
    "Clock",
    "CountChildren",
    "Crash",
    "DeleteChild",
    "Description",
    "Doing",
    "Down",
    "DynamicSupervisor",
    "Ending",
    "Ends",
    "Exit",
    "ExitReason",
    "ExpectedExit",
    "Intensity",
    "Kind",
    "ManualClock",
    "MonitorId",
    "NameTaken",
    "Names",
    "NoSuchChild",
    "Registry",
    "RegistryActor",
    "ReplyTo",
    "Restart",
    "RestartChild",
    "Shutdown",
    "StartChild",
    "Strategy",
    "Supervisor",
    "SupervisorGaveUp",
    "SystemClock",
    "TerminateChild",
    "TooManyChildren",
    "WhereIs",
    "WhichChildren",
    "affected",
    "is_abnormal",
    "settle",
    "spawn",
    "spawn_nowait",
    "wants_restart",
]


def _give_public_names() -> None:
    """Make every public class and function say that it lives in this package, not in one of its files.

    Tracebacks, logs and pickles show these names; a file that moves must not change them.
    """
    for value in [globals()[name] for name in __all__]:
        if isinstance(value, type | FunctionType) and value.__module__.startswith(f"{__name__}."):
            if isinstance(value, type) and value.__annotations__:
                # Annotations are text, evaluated in the module of the class: do it before that changes.
                hints = get_type_hints(value, localns={"ClassVar": ClassVar})
                value.__annotations__ = {name: hints[name] for name in value.__annotations__}
                # Libraries may read them from the fields of a data class instead.
                for field in fields(value) if is_dataclass(value) else ():
                    field.type = hints[field.name]
            value.__module__ = __name__


_give_public_names()
