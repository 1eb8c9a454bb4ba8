"""The columns and the order of a list of runs, as an address names them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.errors import InvalidOption
from continuum.quoting import quoted

# Beside these an attribute by its name, with an @ before it.
COLUMNS = (
    "workflow",
    "version",
    "namespace",
    "state",
    "started",
    "updated",
    "ended",
    "duration",
    "about",
    "key",
    "parent",
)
USUAL = ("workflow", "state", "started", "duration", "about")
# What is beside this is no list to look at.
MOST_COLUMNS = 12
ORDERS = {
    "-started": ("started_at", "desc"),
    "started": ("started_at", "asc"),
    "-updated": ("updated_at", "desc"),
    "updated": ("updated_at", "asc"),
}
SIZES = (25, 50, 100)


def columns_of(text: str) -> Sequence[str]:
    """Return the columns that an address names, the usual ones if it names none."""
    names = tuple(dict.fromkeys(name for name in (each.strip() for each in text.split(",")) if name))
    for name in names:
        if name not in COLUMNS and not (name.startswith("@") and len(name) > 1):
            raise InvalidOption(
                f"there is no column {quoted(name)}; the columns are {', '.join(COLUMNS)}, and @ with the "
                "name of an attribute"
            )
    if len(names) > MOST_COLUMNS:
        raise InvalidOption(f"a list has {MOST_COLUMNS} columns at most, not {len(names)}")
    return names or USUAL


def order_of(name: str) -> tuple[str, str]:
    """Return an order as queries take it, the latest first if an address names none."""
    try:
        return ORDERS[name or "-started"]
    except KeyError:
        raise InvalidOption(f"the order is one of {', '.join(ORDERS)}, not {quoted(name)}") from None


def size_of(text: str, usual: int) -> int:
    """Return how many runs a page has."""
    if text and text not in map(str, SIZES):
        raise InvalidOption(f"a page has {', '.join(map(str, SIZES))} runs, not {quoted(text)}")
    return int(text or usual)
