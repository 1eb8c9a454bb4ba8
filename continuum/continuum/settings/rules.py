"""The values that a setting may have: a rule for each kind, with its refusal in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

REFUSAL = "{name} must be {allowed}, not {value!r:.100}"


@dataclass(frozen=True, slots=True)
class Rule:
    """The values a setting may have; `allowed` names them in an error message."""

    accepts: Callable[[Any], bool]
    allowed: str
    refusal: str = REFUSAL


def whole_number(least: int, most: int) -> Rule:
    """Return the rule of a setting that counts something."""
    return Rule(
        lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most}"
    )


def seconds(least: float, most: float, refusal: str = REFUSAL) -> Rule:
    """Return the rule of a duration in seconds."""
    return Rule(
        lambda value: _is_number(value) and least <= value <= most, f"{least:g} to {most:g} seconds", refusal
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def at_least(least: int, refusal: str) -> Rule:
    """Return the rule of a whole number without an upper bound."""
    return Rule(lambda value: type(value) is int and value >= least, f"at least {least}", refusal)


TRUE_OR_FALSE = Rule(lambda value: isinstance(value, bool), "True or False")
QUEUE_LIMIT = whole_number(1, 1_000_000)


def wrong_queue(queues: Mapping[Any, Any]) -> tuple[Any, Any] | None:
    """Return the first pair that is not the name of a queue and its limit."""
    for name, limit in queues.items():
        if not isinstance(name, str) or not name or not QUEUE_LIMIT.accepts(limit):
            return name, limit
    return None


# As long as the namespace of a run may be.
NAMESPACE_BYTES = 255
NAMESPACE_RULE = f"1 to {NAMESPACE_BYTES} bytes without control characters"


def wrong_namespaces(namespaces: Iterable[object]) -> list[object]:
    """Return those that cannot be the namespace of a run."""
    return [name for name in namespaces if not _is_namespace(name)]


def _is_namespace(name: object) -> bool:
    if not isinstance(name, str) or any(map(_is_control_or_surrogate, name)):
        return False
    return 1 <= len(name.encode()) <= NAMESPACE_BYTES


def _is_control_or_surrogate(character: str) -> bool:
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"
