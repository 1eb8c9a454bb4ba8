"""The options of `continuum.children`, for type checkers and at run time.

The `TypedDict`s list the options; the tables below name the setting behind each option, whose rule
says which values are allowed, and the children that a node needs. Every option is checked here,
before anything starts, and the error names the option and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypedDict

from continuum.client.instances import DEFAULT, DEFAULT_SCHEMA
from continuum.definitions.activity import Activity
from continuum.definitions.activity_executor import ActivityExecutor
from continuum.definitions.workflow import Workflow
from continuum.errors import InvalidOption
from continuum.journal.port import Journal
from continuum.quoting import quoted
from continuum.settings.rules import (
    NAMESPACE_RULE,
    QUEUE_LIMIT,
    TRUE_OR_FALSE,
    Rule,
    wrong_namespaces,
    wrong_queue,
)
from continuum.settings.settings import NODE_SETTINGS, RULES, Settings

# An instance's name becomes part of its node's name, and of log lines.
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")


class HeartbeaterOptions(TypedDict, total=False):
    """`ttl`: how many seconds the node's lease lasts after a renewal."""

    ttl: float


class RunSupervisorOptions(TypedDict, total=False):
    """Limits of runs in motion and of suspended runs in memory; seconds that a stop lets activities end."""

    active_runs: int
    live_suspended_runs: int
    drain: float


class ActivitySupervisorOptions(TypedDict, total=False):
    """`threads`: how many `def` activities run at once."""

    threads: int


class ActivityDispatcherOptions(TypedDict, total=False):
    """`tasks`: how many tasks of queues run at once."""

    tasks: int


class SignalRouterOptions(TypedDict, total=False):
    """`listen` False: do without LISTEN; `poll`: the longest pause between two looks."""

    listen: bool
    poll: float


class SnapshotterOptions(TypedDict, total=False):
    """`events`: a run with this many new events gets a snapshot."""

    events: int


class InstanceOptions(TypedDict, total=False):
    """The options of `continuum.children`; see there."""

    name: str
    dsn: str | None
    schema: str
    journal: Literal["postgres", "memory"] | Journal
    workflows: Iterable[Workflow[..., Any] | ModuleType]
    activities: Iterable[Activity[..., Any]] | None
    activity_executor: ActivityExecutor | None
    queues: Mapping[str, int]
    connections: int
    namespaces: Iterable[str] | None
    tune_garbage_collector: bool
    registry: bool
    heartbeater: bool | HeartbeaterOptions
    run_supervisor: bool | RunSupervisorOptions
    activity_supervisor: bool | ActivitySupervisorOptions
    recovery: bool
    dispatcher: bool
    activity_dispatcher: bool | ActivityDispatcherOptions
    timer_wheel: bool
    signal_router: bool | SignalRouterOptions
    snapshotter: bool | SnapshotterOptions
    version_registry: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """The options of an instance, all valid."""

    name: str
    dsn: str | None
    schema: str
    memory: bool
    journal: Journal | None
    executor: ActivityExecutor | None
    workflows: tuple[Workflow[..., Any], ...]
    activities: tuple[Activity[..., Any], ...] | None
    without: frozenset[str]
    settings: Settings
    tune_garbage_collector: bool


# The options of each child, and the setting that each one is.
_CHILDREN: dict[str, dict[str, str]] = {
    "registry": {},
    "heartbeater": {"ttl": "lease_ttl"},
    "run_supervisor": {
        "active_runs": "active_runs",
        "live_suspended_runs": "live_suspended_runs",
        "drain": "drain",
    },
    "activity_supervisor": {"threads": "activity_threads"},
    "recovery": {},
    "dispatcher": {},
    "activity_dispatcher": {"tasks": "claimed_tasks"},
    "timer_wheel": {},
    "signal_router": {"listen": "listen", "poll": "poll"},
    "snapshotter": {"events": "snapshot_events"},
    "version_registry": {},
}


def check_options(given: Mapping[str, Any]) -> Checked:
    """Return the options of an instance, or raise `InvalidOption`."""
    known = InstanceOptions.__annotations__
    for option in given:
        if option not in known:
            raise InvalidOption(f"children() has no option {quoted(option)}; there are {', '.join(known)}")
    name = _one(given, "name", DEFAULT, Rule(_is_name, "1 to 63 letters, digits, and any of _ . -"))
    journal = _journal(given.get("journal", "postgres"))
    dsn = _one(given, "dsn", None, Rule(lambda value: value is None or _is_text(value), "a DSN or None"))
    schema = _one(given, "schema", DEFAULT_SCHEMA, Rule(_is_text, "the name of a schema"))
    if journal != "postgres" and (dsn is not None or "schema" in given):
        what = "journal='memory' has no database" if journal == "memory" else "the journal knows its database"
        raise InvalidOption(f"{what}; leave dsn and schema out")
    without: set[str] = set()
    chosen: dict[str, Any] = {}
    for child, settings in _CHILDREN.items():
        value = given.get(child, True)
        if value is False:
            without.add(child)
        elif value is not True:
            chosen.update(_settings_of(child, value, settings))
    activities = given.get("activities")
    return Checked(
        name=name,
        dsn=dsn,
        schema=schema,
        memory=journal == "memory",
        journal=None if isinstance(journal, str) else journal,
        executor=_executor(given.get("activity_executor")),
        workflows=_workflows(given.get("workflows", ())),
        activities=None
        if activities is None
        else _all(activities, "activities", Activity, "functions with @activity"),
        without=frozenset(without),
        settings=Settings(
            queues=_queues(given.get("queues", {})),
            namespaces=_namespaces(given.get("namespaces")),
            connections=_one(given, "connections", NODE_SETTINGS.connections, RULES["connections"]),
            **chosen,
        ),
        tune_garbage_collector=_one(given, "tune_garbage_collector", False, TRUE_OR_FALSE),
    )


def _one(given: Mapping[str, Any], option: str, default: Any, rule: Rule) -> Any:
    value = given.get(option, default)
    if not rule.accepts(value):
        raise InvalidOption(f"children({option}={value!r:.100}): allowed is {rule.allowed}")
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.match(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _journal(value: Any) -> Any:
    if isinstance(value, str) and value in ("postgres", "memory"):
        return value
    missing = [name for name in dir(Journal) if not name.startswith("_") and not hasattr(value, name)]
    if isinstance(value, str | type) or missing:
        lacks = "" if isinstance(value, str | type) else f" (this one lacks {', '.join(missing[:5])})"
        raise InvalidOption(
            f"children(journal={value!r:.100}): allowed is 'postgres', 'memory', or an object that "
            f"implements continuum.journal.port.Journal{lacks}"
        )
    return value


def _executor(value: Any) -> Any:
    if value is None or (isinstance(value, ActivityExecutor) and not isinstance(value, type)):
        return value
    raise InvalidOption(
        f"children(activity_executor={value!r:.100}): allowed is an object with submit, cancel and drain, "
        "see continuum.ActivityExecutor"
    )


def _workflows(values: Any) -> tuple[Workflow[..., Any], ...]:
    """Return the workflows given, and those that a given module defines."""
    allowed = "functions with @workflow, or modules of them"
    found: dict[int, Workflow[..., Any]] = {}
    for value in _all(values, "workflows", (Workflow, ModuleType), allowed):
        if isinstance(value, ModuleType):
            own = [each for each in vars(value).values() if isinstance(each, Workflow)]
            if not own:
                raise InvalidOption(f"children(workflows=[{value.__name__}]): the module has no workflow")
        else:
            own = [value]
        found.update((id(each), each) for each in own)
    return tuple(found.values())


def _settings_of(child: str, value: object, settings: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidOption(f"children({child}={value!r:.100}): allowed are True, False or a dict of options")
    for option, chosen in value.items():
        if option not in settings:
            there_are = f"there are {', '.join(settings)}" if settings else "it has none"
            raise InvalidOption(f"children({child}={{{quoted(option)}: …}}): no such option; {there_are}")
        rule = RULES[settings[option]]
        if not rule.accepts(chosen):
            raise InvalidOption(
                f"children({child}={{{quoted(option)}: {chosen!r:.100}}}): allowed is {rule.allowed}"
            )
    return {settings[option]: chosen for option, chosen in value.items()}


def _all(
    values: object, option: str, kind: type[Any] | tuple[type[Any], ...], allowed: str
) -> tuple[Any, ...]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise InvalidOption(f"children({option}={values!r:.100}): allowed is a list of {allowed}")
    listed = tuple(values)
    for value in listed:
        if not isinstance(value, kind):
            raise InvalidOption(f"children({option}=[{value!r:.100}]): allowed are {allowed}")
    return listed


def _queues(queues: object) -> Mapping[str, int]:
    if not isinstance(queues, Mapping):
        raise InvalidOption(f"children(queues={queues!r:.100}): allowed is a dict of queue and limit")
    if (wrong := wrong_queue(queues)) is not None:
        queue, limit = wrong
        raise InvalidOption(
            f"children(queues={{{quoted(queue)}: {limit!r:.100}}}): allowed is a name "
            f"and {QUEUE_LIMIT.allowed}"
        )
    return dict(queues)


def _namespaces(namespaces: object) -> tuple[str, ...] | None:
    if namespaces is None:
        return None
    if isinstance(namespaces, str | Mapping) or not isinstance(namespaces, Iterable):
        raise InvalidOption(f"children(namespaces={namespaces!r:.100}): allowed is a list of names or None")
    listed = tuple(namespaces)
    for wrong in wrong_namespaces(listed):
        raise InvalidOption(f"children(namespaces=[{wrong!r:.100}]): a namespace has {NAMESPACE_RULE}")
    if not listed:
        raise InvalidOption("children(namespaces=[]) would claim nothing; leave it out to claim from all")
    return tuple(dict.fromkeys(listed))
