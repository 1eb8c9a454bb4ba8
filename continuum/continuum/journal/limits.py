"""The limits of a journal, each with its unit and its reason."""

from __future__ import annotations

# A notification carries at most this many run ids; a larger one says "look for
# yourself". Two hundred UUIDs are 7,400 bytes, and Postgres refuses 8,000.
NOTIFICATION_IDS = 200

# A run whose version some code lacks is left this long, in seconds, to whoever has it: a node
# that has it polls on a hint, so it is there within milliseconds unless there is none.
FOREIGN_GRACE_SECONDS = 1.0

# A sweep removes at most this many runs (chains count as one), so that none holds its locks for long.
REMOVED_PER_SWEEP = 200
