"""What lies unread in the inbox of a run, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from continuum.engine.ids import parse_run_id
from continuum.journal.facts import InboxKind
from continuum.journal.situation import Situations


async def unread_mail(journal: Situations, run_id: str) -> dict[str, Any]:
    """Return whether a request to stop is unread, and how many signals are, by their names."""
    situation = await journal.situation(parse_run_id(run_id))
    mail: Mapping[tuple[int, str], int] = {} if situation is None else situation.mail
    return {
        "stop_requested": any(kind == InboxKind.CANCEL for kind, _ in mail),
        "signals": {name: number for (kind, name), number in mail.items() if kind == InboxKind.SIGNAL},
    }


def in_words(mail: Mapping[str, Any]) -> str | None:
    """Return unread mail in a line, None without any."""
    parts = ["a request to stop"] if mail["stop_requested"] else []
    parts += [f"{number} of signal {name}" for name, number in mail["signals"].items()]
    return ", ".join(parts) or None
