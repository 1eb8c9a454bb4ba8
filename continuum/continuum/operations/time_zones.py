"""Whether Python finds time-zone data on this machine."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# One that every data base of time zones has, and that is not built in.
A_ZONE = "Europe/Berlin"


def has_time_zones() -> bool:
    """Return whether a time zone can be looked up: in the system's data, or in the package tzdata."""
    try:
        ZoneInfo.no_cache(A_ZONE)
    except ZoneInfoNotFoundError:
        return False
    return True
