"""OTP on asyncio: light actors, links and monitors, a registry, supervision trees.

Nothing here knows what a workflow is, and nothing here imports Thespian: process
actors live in `spec.py`, for those who need them.
"""

from .actor import Actor
from .child_lifecycle import SupervisorGaveUp
from .child_spec import ChildExists, ChildSpec, NoSuchChild, Shutdown
from .clock import Cancellable, Clock, ManualClock, SystemClock, settle
from .dynamic import DynamicSupervisor, TooManyChildren
from .exits import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    ActorDied,
    Crash,
    Ending,
    ExitReason,
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
    "Down",
    "DynamicSupervisor",
    "Ending",
    "Exit",
    "ExitReason",
    "Intensity",
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
