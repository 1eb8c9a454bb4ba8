"""Continuum: durable execution for Python.

Write `@workflow` and `@activity` functions, start them through a client from `connect()`, and run them with
`continuum run-node`. This module is the public API.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import TYPE_CHECKING, get_type_hints

from continuum.client import (
    CancelOutcome,
    Client,
    ConfiguredStart,
    Event,
    Owner,
    Page,
    Run,
    RunError,
    RunFault,
    RunHandle,
    StateChange,
    SyncClient,
    SyncConfiguredStart,
    SyncRunHandle,
    connect,
    connect_sync,
)
from continuum.client.default_instance import (
    await_run,
    cancel,
    configure,
    disconnect,
    events,
    get_run,
    options,
    query,
    set_attributes,
    signal,
    start,
    unblock,
)
from continuum.definitions.activity import Activity, activity
from continuum.definitions.activity_calls import (
    ActivityRef,
    CompensatedActivity,
    ConfiguredActivity,
    unwrap,
)
from continuum.definitions.activity_context import ActivityContext, activity_context
from continuum.definitions.activity_executor import ActivityCall, ActivityExecutor
from continuum.definitions.child_workflow import ChildHandle, ConfiguredChild
from continuum.definitions.continue_as_new import continue_as_new
from continuum.definitions.effects import (
    RunInfo,
    in_workflow,
    info,
    log,
    now,
    patched,
    publish,
    random,
    side_effect,
    sleep,
    sleep_until,
    today,
    uuid4,
)
from continuum.definitions.saga import Saga, compensate, compensate_all, saga
from continuum.definitions.signal import Signal, wait_signal
from continuum.definitions.workflow import Workflow, workflow
from continuum.engine.retry import Retry
from continuum.errors import (
    ActivityError,
    AlreadyStarted,
    ChildFailed,
    ChildrenTooDeep,
    ClusterError,
    ContinuumError,
    CursorExpired,
    DeterminismError,
    DurableTermError,
    EmbeddedPostgresError,
    InstanceNotRegistered,
    InvalidDefinition,
    InvalidOption,
    InvalidQuery,
    JournalUnavailable,
    NodeNotFound,
    NotInWorkflow,
    NotPublished,
    NotReady,
    RunCancelled,
    RunFailed,
    RunNotFound,
    RunTerminal,
    SchemaOutOfDate,
    UndeclaredSignal,
    UnknownVersion,
    UnknownWorkflow,
)
from continuum.node.in_process import children
from continuum.scanner.configuration import configure_scanner
from continuum.scanner.findings import DeterminismWarning
from continuum.scanner.pure import pure

if TYPE_CHECKING:
    from continuum import testing as testing
else:

    def __getattr__(name):
        """Load the testing kit, which loads the engine, when it is first used."""
        if name != "testing":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return import_module("continuum.testing")


__all__ = [
    "Activity",
    "ActivityCall",
    "ActivityContext",
    "ActivityError",
    "ActivityExecutor",
    "ActivityRef",
    "AlreadyStarted",
    "CancelOutcome",
    "ChildFailed",
    "ChildHandle",
    "ChildrenTooDeep",
    "Client",
    "ClusterError",
    "ContinuumError",
    "CursorExpired",
    "DeterminismError",
    "DeterminismWarning",
    "DurableTermError",
    "EmbeddedPostgresError",
    "Event",
    "InstanceNotRegistered",
    "InvalidDefinition",
    "InvalidOption",
    "InvalidQuery",
    "JournalUnavailable",
    "NodeNotFound",
    "NotInWorkflow",
    "NotPublished",
    "NotReady",
    "Owner",
    "Page",
    "Retry",
    "Run",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunFault",
    "RunHandle",
    "RunInfo",
    "RunNotFound",
    "RunTerminal",
    "Saga",
    "SchemaOutOfDate",
    "Signal",
    "StateChange",
    "SyncClient",
    "SyncRunHandle",
    "UndeclaredSignal",
    "UnknownVersion",
    "UnknownWorkflow",
    "Workflow",
    "activity",
    "activity_context",
    "await_run",
    "cancel",
    "children",
    "compensate",
    "compensate_all",
    "configure",
    "configure_scanner",
    "connect",
    "connect_sync",
    "continue_as_new",
    "disconnect",
    "events",
    "get_run",
    "in_workflow",
    "info",
    "log",
    "now",
    "options",
    "patched",
    "publish",
    "pure",
    "query",
    "random",
    "saga",
    "set_attributes",
    "side_effect",
    "signal",
    "sleep",
    "sleep_until",
    "start",
    "today",
    "unblock",
    "unwrap",
    "uuid4",
    "wait_signal",
    "workflow",
]


def _give_public_names() -> None:
    """Set the module of every public class and function to `continuum`.

    Exception names are journaled, names of objects enter version hashes, and tracebacks show both: none of
    them may depend on the file that holds a class. `errors.py` does the same for its own classes.
    """
    public = [globals()[name] for name in __all__]
    for value in (
        *public,
        CompensatedActivity,
        ConfiguredActivity,
        ConfiguredChild,
        ConfiguredStart,
        SyncConfiguredStart,
    ):
        if isinstance(value, type | FunctionType) and value.__module__.startswith("continuum."):
            if is_dataclass(value):
                # Annotations are text that is resolved in the class's module: resolve them before it changes.
                # Libraries read them from the class or, like pydantic, from its fields.
                hints = value.__annotations__ = get_type_hints(value, include_extras=True)
                for field in fields(value):
                    field.type = hints[field.name]
            value.__module__ = __name__


_give_public_names()
