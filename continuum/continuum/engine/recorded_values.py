"""Commands that need no result from outside: recorded reads, patch decisions, published values, attributes.

None of them waits for a commit. A replay takes the recorded value from the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from continuum.engine import side_effect_errors
from continuum.engine.call_site import Site, caller
from continuum.engine.command_log import CommandLog
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.snapshot_replay import COMMAND, NO_VALUE, next_value


def recorded_value(execution: Execution, kind: str, site: Site, produce: Callable[[], Any]) -> Any:
    """Return the journaled value of `produce`, or raise its journaled failure, calling it only once."""
    log = execution.log
    if log.compact is not None:
        rest = next_value(execution, log.compact, COMMAND, EventType.SIDE_EFFECT, kind, site)
        if rest is not NO_VALUE:
            return rest[0] if len(rest) == 1 else _raise(rest)
    log.check()
    recorded = (None,) if log.replaying else _attempt(log, produce)
    body = log.command(EventType.SIDE_EFFECT, kind, site, recorded).body
    return body[3] if len(body) == 4 else _raise(body[3:])


def _raise(recorded: tuple[Any, ...]) -> NoReturn:
    raise side_effect_errors.raised(*recorded[1:])


def _attempt(log: CommandLog, produce: Callable[[], Any]) -> tuple[Any, ...]:
    log.in_side_effect = True
    try:
        return side_effect_errors.attempt(produce)
    finally:
        log.in_side_effect = False


def reached_patch(execution: Execution, name: str, site: Site) -> bool:
    """Return whether the run first reached patch `name` with code that has it.

    A later call may find the marker that an earlier call did not find: the name was used a second time, for
    code that the run had passed.
    """
    log = execution.log
    log.check()
    decisions = execution.patches
    if decisions is None:
        decisions = execution.patches = {}
    known = decisions.get(name)
    if not known:
        recorded = log.next_recorded()
        if recorded is None:
            known = known is None
        else:
            # Only its own marker counts: with another name, or of another function, it is another call's.
            marked = recorded.type == EventType.PATCHED and recorded.body[0] == name
            known = marked and recorded.body[1] == caller(site)
        if known:
            log.command(EventType.PATCHED, name, site, ())
        decisions[name] = known
    return known


def publish(execution: Execution, name: str, site: Site, value: bytes) -> None:
    """Publish a value: readers see it once the commit that carries it is durable."""
    recorded = execution.log.replaying
    event = execution.log.command(EventType.STATE_PUBLISHED, name, site, ())
    if not recorded:
        execution.next_outgoing().published.append((event.seq, name, value))


def set_attributes(execution: Execution, attributes: Mapping[str, Any], site: Site) -> None:
    """Set attributes of the run, with the commit that carries it. A replay compares their names."""
    recorded = execution.log.replaying
    event = execution.log.command(EventType.ATTRIBUTES_SET, ", ".join(sorted(attributes)), site, ())
    if not recorded:
        execution.next_outgoing().attributes.append((event.seq, attributes))
