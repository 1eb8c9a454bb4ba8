"""The limits of a journal, each with its unit and its reason."""

from __future__ import annotations

# A notification names at most this many runs; a larger one has no ids and means that any run may
# have changed. Two hundred UUIDs are 7,400 bytes, and Postgres refuses 8,000.
NOTIFICATION_IDS = 200

# In seconds: code of another version waits this long before it claims a run. A node with the
# run's own version claims it within milliseconds of the notification, if there is such a node.
FOREIGN_GRACE_SECONDS = 1.0

# So many suspects are tried together, at first and then, before each is tried alone.
MANY_SUSPECTS = 32
FEW_SUSPECTS = 8
# A workflow of which so many runs have killed processes within so many seconds is kept apart.
DEADLY_RUNS = 3
DEADLY_SECONDS = 60
# After this many seconds without a death a suspicion begins anew.
SUSPICION_SECONDS = 3600

# A sweep removes at most this many runs (a chain counts as one), so that it holds no locks for long.
REMOVED_PER_SWEEP = 200
