"""Which siblings are restarted together with a child that failed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import assert_never


class Strategy(Enum):
    """Which children a restart covers: the failed one, all, or the failed one and those started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


def affected(strategy: Strategy, order: Sequence[str], failed: str) -> tuple[str, ...]:
    """Return the ids to stop (in reverse) and to start again (in this order), the failed one included."""
    position = order.index(failed)
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return tuple(order)
        case Strategy.REST_FOR_ONE:
            return tuple(order[position:])
        case never:
            assert_never(never)
