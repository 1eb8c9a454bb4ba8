"""Continuum: durable execution for Python.

Write `@workflow` and `@activity` functions, start them through a client from `connect()`, and run them with
`continuum run-node`. This module is the public API.

A module of workflows needs only the definitions. The client and the node are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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
from continuum.definitions.run_fields import RunFields
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
    CutRefused,
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
    NotRepairable,
    OperationNotFound,
    RunCancelled,
    RunChanged,
    RunFailed,
    RunNotDeletable,
    RunNotFound,
    RunTerminal,
    SchemaOutOfDate,
    StatementCancelled,
    UndeclaredSignal,
    UnindexedQuery,
    UnknownVersion,
    UnknownWorkflow,
)
from continuum.public_names import give_public_names
from continuum.scanner.configuration import configure_scanner
from continuum.scanner.findings import DeterminismWarning
from continuum.scanner.pure import pure

# The homes of the names that are loaded late and are none of the client.
HOMES = {"children": "continuum.node.in_process", "JsonFormatter": "continuum.telemetry.log_records"}

if TYPE_CHECKING:
    from continuum import testing as testing
    from continuum.client import (
        CancelOutcome,
        Cause,
        Client,
        Cut,
        CutCall,
        CutChild,
        CutStanding,
        Event,
        Explanation,
        Fix,
        Operation,
        OperationExample,
        OperationPage,
        OperationPreview,
        OperationProgress,
        Owner,
        Page,
        Pause,
        PauseOutcome,
        Run,
        RunError,
        RunFault,
        RunHandle,
        StateChange,
        SyncClient,
        SyncRunHandle,
        UnchangedRuns,
        await_run,
        cancel,
        configure,
        connect,
        connect_sync,
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
    from continuum.node.in_process import children
    from continuum.telemetry.log_records import JsonFormatter
else:

    def __getattr__(name):
        """Load what is not for definitions when a name of it is first used."""
        if name == "testing":
            return import_module("continuum.testing")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(HOMES.get(name, "continuum.client")), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Activity",
    "ActivityCall",
    "ActivityContext",
    "ActivityError",
    "ActivityExecutor",
    "ActivityRef",
    "AlreadyStarted",
    "CancelOutcome",
    "Cause",
    "ChildFailed",
    "ChildHandle",
    "ChildrenTooDeep",
    "Client",
    "ClusterError",
    "ContinuumError",
    "CursorExpired",
    "Cut",
    "CutCall",
    "CutChild",
    "CutRefused",
    "CutStanding",
    "DeterminismError",
    "DeterminismWarning",
    "DurableTermError",
    "EmbeddedPostgresError",
    "Event",
    "Explanation",
    "Fix",
    "InstanceNotRegistered",
    "InvalidDefinition",
    "InvalidOption",
    "InvalidQuery",
    "JournalUnavailable",
    "JsonFormatter",
    "NodeNotFound",
    "NotInWorkflow",
    "NotPublished",
    "NotReady",
    "NotRepairable",
    "Operation",
    "OperationExample",
    "OperationNotFound",
    "OperationPage",
    "OperationPreview",
    "OperationProgress",
    "Owner",
    "Page",
    "Pause",
    "PauseOutcome",
    "Retry",
    "Run",
    "RunCancelled",
    "RunChanged",
    "RunError",
    "RunFailed",
    "RunFault",
    "RunFields",
    "RunHandle",
    "RunInfo",
    "RunNotDeletable",
    "RunNotFound",
    "RunTerminal",
    "Saga",
    "SchemaOutOfDate",
    "Signal",
    "StateChange",
    "StatementCancelled",
    "SyncClient",
    "SyncRunHandle",
    "UnchangedRuns",
    "UndeclaredSignal",
    "UnindexedQuery",
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


give_public_names(
    [
        *(globals()[name] for name in __all__ if name in globals()),
        *(CompensatedActivity, ConfiguredActivity, ConfiguredChild),
    ]
)
