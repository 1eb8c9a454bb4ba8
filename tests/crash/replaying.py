"""Replays a history in its own process: `python -m tests.crash.replaying PROGRAM < history`.

Prints the commands of the code, as a history that continues with the same results.
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
    """Turn lists into tuples and hex into bytes."""
    if isinstance(value, list):
        return tuple(freeze(item) for item in value)
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    return value


def thaw(value: Any) -> Any:
    """Turn bytes into hex, for JSON."""
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def dump(history: Sequence[Event]) -> str:
    return json.dumps(
        [[seq, int(type), at, [thaw(item) for item in body]] for seq, type, at, body in history]
    )


def load(text: str) -> list[Event]:
    return [Event(*freeze(entry)) for entry in json.loads(text)]


def main(program: str) -> None:
    """Replay the whole history, and start anew with the same results."""
    history = load(sys.stdin.read())
    for cut in (len(history), 0):
        outcome, again = resume_exactly(PROGRAMS[program], history, cut)
        sys.stdout.write(f"{comparable(outcome)}\n{dump(again)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
