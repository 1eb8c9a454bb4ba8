"""The limits of the client, each with its unit and its reason."""

from __future__ import annotations

# Keys, names and namespaces are parts of index rows, which Postgres bounds at a third of a page.
KEY_BYTES = 255
# Attributes are what runs are looked for by, not where documents live.
ATTRIBUTES_BYTES = 65_536

# One statement of this many rows keeps its lock times and its message small; past it, the gain is gone.
GROUP_ITEMS = 500
# A Postgres that restarts is back within seconds, and a caller would rather know than wait longer.
WRITE_PATIENCE_SECONDS = 10.0
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 1.0
# A read is cheap to repeat by whoever wants it, so it is asked for once more only.
READ_RETRY_SECONDS = 0.2
# As many as the journal has connections: more would wait in its queue and may time out there.
READS_AT_ONCE = 4

# Hints can be lost; whoever waits looks for himself, less and less often.
FIRST_POLL_SECONDS = 1.0
# The end of a short run is on its way as a hint when the wait begins; a look before it is in vain, and
# competes with the run. One that ended before anybody waited is found by this look.
FIRST_LOOK_SECONDS = 0.02
LAST_POLL_SECONDS = 5.0
# Who waited in vain is told why if the journal says so at once; he did not ask to wait longer.
LAST_LOOK_SECONDS = 1.0
POLL_GROWTH = 1.5
# A run may be removed soon after its end, and the hint of it be lost: after so many looks that did not find
# its end, every half minute when they are rarest, it is asked whether the run is there at all.
LOOKS_UNTIL_DOUBT = 6
# How many runs one poll asks for; their ids go as one array.
POLL_IDS = 1_000

# A page is held in memory whole, on both sides.
PAGE_ENTRIES = 1000
# Values of one `in`: each becomes a parameter.
CHOICES = 1000

# For this long a run that goes on under other code may be sent what only the code before took.
CONTRACT_SECONDS = 30.0
# One is a few hundred bytes; past this many runs the one that was asked for first is asked for again.
CONTRACTS_KEPT = 10_000
