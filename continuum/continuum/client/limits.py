"""The limits of the client, each with its unit and its reason."""

from __future__ import annotations

# A statement of this many rows keeps lock times and message small; more rows would gain nothing.
GROUP_ITEMS = 500
# A Postgres that restarts is back within seconds, and a caller would rather know than wait longer.
WRITE_RETRY_SECONDS = 10.0
# The run host in this process waits for the database without end; after this long the client starts the run
# itself, which reports an outage.
HOST_START_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 1.0
# A caller can cheaply repeat a read, so it is retried only once.
READ_RETRY_SECONDS = 0.2
# As many as the journal has connections: further reads would wait in its queue and could time out there.
READS_AT_ONCE = 4

# Notifications can be lost, so every wait also polls, less and less often.
FIRST_POLL_SECONDS = 1.0
# Where no notification comes, the looks themselves find the end: about a fifth of the wait later.
FIRST_POLL_WITHOUT_LISTEN_SECONDS = 0.05
POLL_GROWTH_WITHOUT_LISTEN = 1.2
# When a wait for a short run begins, the notification of its end is about to arrive: a look before that
# finds nothing and competes with the run. This long after
# the start a look finds a run that has ended unheard.
FIRST_LOOK_SECONDS = 0.02
# Ends heard before the wait began. The wait for a run follows its start within a moment, or it looks anyway.
ENDS_REMEMBERED = 1_000
# A run that has ended may be reset by another process. The host here is notified of that, but may miss it:
# such an end counts for so long, and is looked up then. The wait for a short run follows its start sooner.
KNOWN_END_SECONDS = 1.0
# Larger results of runs that end in this process are not kept for a caller who may never ask: they are read.
KNOWN_END_BYTES = 4_096
LAST_POLL_SECONDS = 5.0
# After a timeout, explain why only if the journal answers quickly: the caller did not ask to wait longer.
MESSAGE_READ_SECONDS = 1.0
POLL_GROWTH = 1.5
# A run may be removed soon after its end, and the notification of its end be lost. After this many looks that
# did not find the end (every half minute, once looks are rarest) check whether the run still exists.
LOOKS_UNTIL_DOUBT = 6
# How many runs one poll looks for; their ids are one array parameter.
POLL_IDS = 1_000
# So many looks without a notification cost a client about one per cent of its processor time. With more than
# 20,000 awaited runs each is looked for less often instead.
POLLS_PER_SECOND = 4

# A reader of state changes looks this soon after a notification: the transactions before it have ended by
# then, most likely. Without notifications it looks less and less often, until once a second.
FIRST_CHANGES_POLL_SECONDS = 0.02
CHANGES_POLL_SECONDS = 1.0
# As many rows as one read looks through, whatever the reader wants of them.
CHANGES_PER_READ = 500

# Server and client both hold a whole page in memory.
PAGE_ENTRIES = 1000
# Values of one `in`: each becomes a parameter.
CHOICES = 1000

# After a run continues under other code, a signal that only the earlier code accepted may still pass the
# check for this long.
CONTRACT_SECONDS = 30.0
# A contract takes a few hundred bytes. Past this many runs the oldest contract is dropped.
CONTRACTS_KEPT = 10_000
# A client that closes waits this long for writes under way: long enough to notice a dead connection and to
# write once more on another.
CLOSE_SECONDS = 20.0
