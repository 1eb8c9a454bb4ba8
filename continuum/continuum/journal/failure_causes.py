"""The cause of a failure: what an activity or a child had failed with, if its run failed with that.

The type of such an error is `continuum.ActivityError` or `continuum.ChildFailed` whatever the cause was; its
message has that of the cause, which a search is mostly about. It is read from the encoded error, as SQL reads
it (`conditions.py`), so nothing more is stored and older rows have it too.
"""

from __future__ import annotations

from continuum.journal.limits import FAILURE_TYPE_BYTES

# How such errors begin: the version of the encoding, three parts, and a type of 23 or 21 bytes.
_BEGINNINGS = (b"\x01\x93\xb7continuum.ActivityError", b"\x01\x93\xb5continuum.ChildFailed")
# The message is behind the type. As much of it is read as its own words and two shortened names may take.
_MESSAGE = slice(24, 2024)


def failure_cause(error: bytes) -> str | None:
    """Return the type of the cause in an encoded error, as far as an index has it; None if it has no cause.

    A child that failed because of its activity, or of a child of its own, has the cause of that one.
    """
    if not error.startswith(_BEGINNINGS):
        return None
    message = error[_MESSAGE]
    found = _part(_part(message, b" failed on attempt ", 1), b": ", 1)
    found = found or _part(_part(message, b" failed: ", 1), b": ", 0)
    return found[:FAILURE_TYPE_BYTES].decode(errors="ignore") or None


def _part(text: bytes, separator: bytes, place: int) -> bytes:
    parts = text.split(separator)
    return parts[place] if place < len(parts) else b""
