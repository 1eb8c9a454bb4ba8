"""What lies unread in the inbox of a run, and which of its activities have not ended, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from continuum.engine.ids import parse_run_id
from continuum.journal.facts import InboxKind
from continuum.journal.situation import Situation, Situations
from continuum.operations.run_history import read_history

# More lines than this say no more about a run.
_NAMED = 10


async def open_facts(journal: Situations, run_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is unread of a run, and the activities that it has called and that have not ended."""
    situation = await journal.situation(parse_run_id(run_id))
    calls = () if situation is None else read_history(situation.events).calls.values()
    activities = [
        {"seq": call.seq, "activity": call.name, "summary": call.summary, "attempt": call.attempt}
        for call in calls
    ]
    return unread_mail(situation), activities


def unread_mail(situation: Situation | None) -> dict[str, Any]:
    """Return whether a request to stop is unread, and how many signals are, by their names."""
    mail: Mapping[tuple[int, str], int] = {} if situation is None else situation.mail
    return {
        "stop_requested": any(kind == InboxKind.CANCEL for kind, _ in mail),
        "signals": {name: number for (kind, name), number in mail.items() if kind == InboxKind.SIGNAL},
    }


def activities_in_words(activities: Sequence[Mapping[str, Any]]) -> str | None:
    """Return activities that have not ended in a line each, None without any."""
    lines = [
        f"{each['activity']}, attempt {each['attempt']}" + (f": {each['summary']}" if each["summary"] else "")
        for each in activities[:_NAMED]
    ]
    if len(activities) > _NAMED:
        lines.append(f"and {len(activities) - _NAMED} more")
    return "\n".join(lines) or None


def in_words(mail: Mapping[str, Any]) -> str | None:
    """Return unread mail in a line, None without any."""
    parts = ["a request to stop"] if mail["stop_requested"] else []
    parts += [f"{number} of signal {name}" for name, number in mail["signals"].items()]
    return ", ".join(parts) or None
