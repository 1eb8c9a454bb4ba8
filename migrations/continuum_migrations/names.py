"""The numbers that the schema stores, by name, so that no SQL spells one out.

The loader writes the number for `{state.blocked}` before a text reaches the server, so names cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_STATES = ("running", "suspended", "blocked", "completed", "failed", "cancelled", "continued")
_KINDS = (
    "signal",
    "activity_completed",
    "activity_raised",
    "activity_crashed",
    "activity_timed_out",
    "cancel",
    "child_completed",
    "child_failed",
    "child_cancelled",
    "activity_interrupted",
)
_POSTED = ("accepted", "duplicate", "not_found", "terminal", "stale")
_CLOSE_POLICIES = ("cascade", "cancel", "abandon")


def _numbered(group: str, names: tuple[str, ...]) -> dict[str, str]:
    return {f"{group}.{name}": str(number) for number, name in enumerate(names, 1)}


NAMES: Mapping[str, str] = {
    **_numbered("state", _STATES),
    **_numbered("kind", _KINDS),
    **_numbered("posted", _POSTED),
    **_numbered("close_policy", _CLOSE_POLICIES),
    # SQL reads only this one of the types of events.
    "event.compensation_scheduled": "12",
    # Ranges of states, written behind a column: `r.state {is_open}`. A worker may own an active run,
    # an open one has not ended.
    "is_active": "<= 2",
    "is_open": "<= 3",
    "is_terminal": ">= 4",
    # In place of a fencing token: the run is locked in its place, and nothing is written to it.
    "token.lock_only": "-1",
    # A hundred years is for ever: what is added to a time must leave a time.
    "limit.retention_seconds": "3e9",
    # In what company a suspect is tried next; one that was acquitted is suspected no more.
    "suspicion.none": "0",
    # "many" may be tried together, and at each following level half as many, until one is alone.
    **_numbered("suspicion", ("any", "many", "half", "few", "fewer", "two", "alone")),
    "limit.many_suspects": "32",
    # A workflow of which so many runs have killed processes within so many seconds is kept apart.
    "limit.deadly_runs": "3",
    "limit.deadly": "60",
    # After this many seconds without a death a suspicion begins anew.
    "limit.suspicion": "3600",
    # As many ids as fit into the 8,000 bytes of one notification.
    "limit.ids": "200",
    # The record of what people have changed is kept for so many seconds.
    "limit.audit": "34560000",
    # Statistics by the minute are kept for so many seconds, those by the hour for so many.
    "limit.minutes": "86400",
    "limit.hours": "3024000",
    # A repair lets a lease end after so many seconds: every process renews its own within five.
    "limit.shortened_lease": "30",
    # A repair draws so many fencing tokens in a second; all nodes together draw fewer in ten.
    "limit.drawn_tokens": "1000000",
    # A look at tasks ends here: with more of them a claim is the better look.
    "limit.looked_tasks": "500",
    # While something is paused, health reads the runs of so many overdue tasks of a queue, in 20 ms.
    "limit.overdue_tasks": "2000",
    # One transaction of a claim sets so many tasks of paused runs aside, in ten milliseconds of processor
    # time, and of each queue at least so many. The end of a pause and each claim after it free as many.
    "limit.held_tasks": "400",
    "limit.first_tasks": "50",
    # So many runs or groups of runs are looked at for the time of the next one.
    "limit.next_due": "100",
    # A run with a longer history is resumed by a claim, which reads its snapshot.
    "limit.parked_events": "500",
    # An index takes no longer keys; at worst an older version refuses a run once more.
    "limit.refused": "16",
}

_NAME = re.compile("|".join(re.escape(f"{{{name}}}") for name in NAMES))


def with_numbers(sql: str) -> str:
    """Return SQL with each name replaced; other braces (`'{}'::jsonb`) stay as they are."""
    return _NAME.sub(lambda found: NAMES[found[0][1:-1]], sql)
