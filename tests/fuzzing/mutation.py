"""New inputs from old ones: bytes flipped, cut, repeated and spliced, msgpack trees rearranged."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

# A mutant does not grow beyond this: each input shall take microseconds.
MOST_BYTES = 4096
_MOST_CHANGES = 4

ODD_TEXTS = (
    "",
    "\0",
    "\ud800",
    "\u202e",
    "é" * 200,
    "a" * 300,
    "'; drop table runs; --",
    "__class__",
    "{0.__globals__}",
    "%s%n",
    "../../etc/passwd",
    "America",
    "os.system",
    "nan",
    "infinity",
    "1e999999999",
    "-1",
    "NaN",
    "²",
    "٣",
    "1" * 5000,
    "[" * 3000,
)
ODD_INTEGERS = (0, 1, -1, 127, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**64 - 1, -(2**63))
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0.5, float("nan"), float("inf"), -0.0, b"", b"\x01\xc0", [], {}, [[]], {"": 0}),
    *ODD_INTEGERS,
    *(text for text in ODD_TEXTS if "\ud800" not in text),
    {b"": [None]},
    *(
        msgpack.ExtType(code, data)
        for code in (*range(12), 31, 32, 127)
        for data in (b"", b"\x90", b"2026-01-31")
    ),
    msgpack.Timestamp(0, 0),
)
ODD_BYTES = tuple(
    bytes([byte]) for byte in (0x00, 0x01, 0x7F, 0x80, 0x8F, 0x9F, 0xC1, 0xC7, 0xDC, 0xDD, 0xDF, 0xFF)
)


class Mutator:
    """Makes inputs; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def bytes_of(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """Return the bytes with a few changes, some of them from another input."""
        draw = self.random
        changed = bytearray(data)
        for _ in range(draw.randint(1, _MOST_CHANGES)):
            at = draw.randrange(len(changed) + 1)
            match draw.randrange(8):
                case 0 if changed:
                    changed[at % len(changed)] ^= 1 << draw.randrange(8)
                case 1 if changed:
                    changed[at % len(changed)] = draw.randrange(256)
                case 2:
                    del changed[at:]
                case 3:
                    del changed[at : at + draw.randint(1, 8)]
                case 4:
                    changed[at:at] = draw.choice(ODD_BYTES) * draw.choice((1, 1, 2, 16))
                case 5:
                    changed[at:at] = draw.randrange(2**32).to_bytes(4, "big")
                case 6:
                    other = draw.choice(others)
                    begin = draw.randrange(len(other) + 1)
                    changed[at : at + draw.randrange(16)] = other[begin : begin + draw.randint(1, 64)]
                case _:
                    changed[at:at] = changed[at : at + draw.randint(1, 32)]
        return bytes(changed[:MOST_BYTES])

    def text_of(self, text: str, others: Sequence[str]) -> str:
        """Return the text with a few changes."""
        draw = self.random
        for _ in range(draw.randint(1, _MOST_CHANGES)):
            at = draw.randrange(len(text) + 1)
            match draw.randrange(5):
                case 0:
                    text = text[:at] + draw.choice(ODD_TEXTS) + text[at:]
                case 1:
                    text = text[:at] + text[at + draw.randint(1, 4) :]
                case 2:
                    other = draw.choice(others)
                    text = text[:at] + other[draw.randrange(len(other) + 1) :]
                case 3:
                    text = (
                        text[:at]
                        + chr(draw.choice((0, 10, 0x7F, 0x85, 0x661, 0x2028, 0xDC80, 0x1F600)))
                        + text[at:]
                    )
                case _:
                    text = draw.choice(ODD_TEXTS)
        return text[:MOST_BYTES]

    def tree_of(self, value: Any) -> Any:
        """Return a tree of plain values with one node in it replaced, doubled, dropped or moved."""
        draw = self.random
        nodes = list(_places(value))
        if not nodes:
            return draw.choice(ODD_VALUES)
        put, node = draw.choice(nodes)
        match draw.randrange(5):
            case 0:
                return put(_DROPPED)
            case 1:
                return put(draw.choice(nodes)[1])
            case 2:
                return put([node, node])
            case 3 if type(node) is int:
                return put(node + draw.choice((-1, 1, 2**31)))
            case _:
                return put(draw.choice(ODD_VALUES))


_DROPPED: Any = object()
# A place is reached by as many calls as it is deep.
_MOST_NODES, _DEEPEST = 1000, 200
_Put = Callable[[Any], Any]


def _places(value: Any) -> list[tuple[_Put, Any]]:
    """Return each node below a value, and what returns the value with another node in its place."""
    found: list[tuple[_Put, Any]] = []
    stack: list[tuple[_Put, Any, int]] = [(lambda new: new, value, 0)]
    while stack and len(found) < _MOST_NODES:
        put, node, depth = stack.pop()
        if depth == _DEEPEST:
            continue
        if isinstance(node, list | tuple):
            children: list[tuple[_Put, Any]] = [
                (lambda new, put=put, node=node, at=at: put(_with_item(node, at, new)), item)  # type: ignore[misc]
                for at, item in enumerate(node)
            ]
        elif isinstance(node, dict):
            children = [
                (lambda new, put=put, node=node, key=key: put(_with_key(node, key, new)), item)  # type: ignore[misc]
                for key, item in node.items()
            ]
        else:
            continue
        found += children
        stack += [(put_child, child, depth + 1) for put_child, child in children]
    return found


def _with_item(items: Sequence[Any], at: int, new: Any) -> list[Any]:
    return [*items[:at], *([] if new is _DROPPED else [new]), *items[at + 1 :]]


def _with_key(pairs: dict[Any, Any], key: Any, new: Any) -> dict[Any, Any]:
    return {
        name: new if name == key else item
        for name, item in pairs.items()
        if name != key or new is not _DROPPED
    }
