"""Replays a history in a process of its own: `python -m tests.crash.replaying PROGRAM < history`.

Prints what the code asked for, as a history that goes on with the same answers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from continuum.engine.events import Event
from tests.crash.order import crowd, order_flow
from tests.unit.engine.driver import comparable, resume_exactly

PROGRAMS = {"crowd": crowd, "order_flow": order_flow}


def freeze(value: Any) -> Any:
    """Return lists as tuples and hex as bytes again."""
    if isinstance(value, list):
        return tuple(freeze(item) for item in value)
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    return value


def thaw(value: Any) -> Any:
    """Return bytes as hex, for JSON."""
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def dump(history: Sequence[Event]) -> str:
    return json.dumps(
        [[seq, int(type), at, [thaw(item) for item in body]] for seq, type, at, body in history]
    )


def load(text: str) -> list[Event]:
    return [Event(*freeze(entry)) for entry in json.loads(text)]


def main(program: str) -> None:
    """From the whole history, and from none with the same answers."""
    history = load(sys.stdin.read())
    for cut in (len(history), 0):
        outcome, again = resume_exactly(PROGRAMS[program], history, cut)
        sys.stdout.write(f"{comparable(outcome)}\n{dump(again)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
