"""The limits of a journal, each with its unit and its reason."""

from __future__ import annotations

# A notification carries at most this many run ids; a larger one says "look for
# yourself". Two hundred UUIDs are 7,400 bytes, and Postgres refuses 8,000.
HINT_IDS = 200
