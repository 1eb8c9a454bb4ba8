"""The limits of a journal, each with its unit and its reason."""

from __future__ import annotations

# A notification names at most this many runs; a larger one has no ids and means that any run may
# have changed. Two hundred UUIDs are 7,400 bytes, and Postgres refuses 8,000.
NOTIFICATION_IDS = 200
# An announcement of a start is at most this long, before the time of the start is added to it.
ANNOUNCED_CHARACTERS = 7_900

# A worker draws so many tokens at once for runs that it may take with their first writes.
DRAWN_TOKENS = 256

# A row of several events has at most so many bytes: Postgres moves the values of longer rows to another
# table, in pieces. One with many more is not read: no damaged row makes a reader allocate without end.
EVENT_ROW_BYTES = 1_900
READ_EVENT_ROW_BYTES = 4 * EVENT_ROW_BYTES

# A process remembers which calls it has written for so many runs, so many for each: a few megabytes.
REMEMBERED_RUNS = 4_096
REMEMBERED_CALLS = 64

# A run with a longer history is resumed by a claim, which reads its snapshot.
PARKED_EVENTS = 500

# In seconds: code of another version waits this long before it claims a run. A node with the
# run's own version claims it within milliseconds of the notification, if there is such a node.
FOREIGN_GRACE_SECONDS = 1.0

# So many suspects are tried together at first; with each death half as many. A power of two.
MANY_SUSPECTS = 32
# A workflow of which so many runs have killed processes within so many seconds is kept apart.
DEADLY_RUNS = 3
DEADLY_SECONDS = 60
# After this many seconds without a death a suspicion begins anew.
SUSPICION_SECONDS = 3600

# A run that has killed its process this often is blocked.
POISON_AFTER_DEATHS = 3
# A repair lets a lease end after so many seconds: every process renews its own within five.
SHORTENED_LEASE_SECONDS = 30.0

# A part of a sweep removes so many runs (a chain counts as one): it holds locks for less than a tenth of a
# second, of which a third is the same for any number.
REMOVED_AT_ONCE = 1_000
# A sweep removes so many of these parts, for less than a minute: what a busy hour leaves behind.
REMOVALS_PER_SWEEP = 200

# A part of a sweep looks at so many rows of each table, and takes tens of milliseconds whatever is there.
ROWS_PER_SWEEP = 2_000
# While much is found a sweep continues, up to so many parts: what a busy minute leaves behind.
PARTS_PER_SWEEP = 50
# For a list of versions so many open runs are counted in all, which takes some tens of milliseconds.
COUNTED_RUNS = 100_000
# So many odd rows of each kind are looked for: what is wrong shows in fewer.
ODD_ROWS = 50

# A query looks at so many runs first, which takes milliseconds and is enough where many meet its conditions;
# then at so many, which takes tens of milliseconds.
FIRST_SCAN_RUNS = 1_000
SCAN_RUNS = 10_000

# The type of an error is searched for by so many of its bytes: an index takes no name of any length.
FAILURE_TYPE_BYTES = 255

# The answer of `continuum health` takes milliseconds whatever there is. Counts are exact up to this number.
MOST_COUNTED = 10_000
# A count looks at so many runs, which takes some tenths of a second.
LOOKED_AT_TO_COUNT = 100_000
# So many rows are counted in all groups of due runs together, which takes tens of milliseconds.
COUNTED_ROWS = 50_000
# So many groups of runs, queues and workers are looked at.
HEALTH_GROUPS = 100
# So many open runs show what runs do and wait for, which takes some tens of milliseconds.
OPEN_RUNS_LOOKED_AT = 5_000
# A person reads no longer list of what runs wait for.
WAITS_NAMED = 50
# A person who pauses something for longer may have forgotten it: a day, in seconds.
PAUSED_FOR_SECONDS = 24 * 3600.0
# So many pauses are looked at, the oldest first, and what each holds is counted up to so many: some
# milliseconds for each.
OLD_PAUSES = 20
COUNTED_OF_A_PAUSE = 1_000
# Interrupted operations are looked for among so many, the latest, which takes a millisecond.
OPERATIONS_LOOKED_AT = 1_000
# Another node retires a worker within seconds of the end of its lease, also after an outage.
EXPIRED_FOR_SECONDS = 30.0

# The deadlines of statements, in seconds.

# A connection that has brought no byte for this long is doubted: another one asks the server whether the
# statement still runs. Longer than the pauses of a loaded server, so that the question is rare.
SILENCE_SECONDS = 10.0
# A server that lives answers that question at once. One that does not answer it counts as lost, so a dead
# connection is dropped at most this long after the silence.
QUESTION_SECONDS = 5.0
# The answer to a statement that has just ended may still be on its way.
ANSWER_SECONDS = 1.0
# A renewal that is not answered in a third of its lease is doubted: two more can be tried before it ends.
RENEWALS_IN_A_LEASE = 3
# The server ends any statement after this long: the longest of ours, a sweep of long histories or a page by
# an unindexed condition, take a minute on a slow disk.
STATEMENT_SECONDS = 300.0
# A migration may rewrite the largest table, or wait for one that another node has begun.
MIGRATION_SECONDS = 3600.0

# Long enough for a server that restarts to answer, short enough for a person to wait; for each address.
CONNECT_SECONDS = 5
# A host name stands for a few addresses, and each may be tried.
ADDRESSES_TRIED = 3
# A caller waits this long for a connection: by then dead ones have been dropped, so a longer wait means that
# slow statements use them all.
POOL_WAIT_SECONDS = 20.0
# A client has one that listens, and others, of which some may be slow. A node has its own setting.
CONNECTIONS = 5
# An application with a node has at least these: one commits, and if one other is slow, one renews the lease.
CONNECTIONS_WITH_LEASES = 3
# A control process commits nothing: one renews leases and listens, the other one may be slow.
CONTROL_CONNECTIONS = 2
# An activity host has one task at a time.
ACTIVITY_HOST_CONNECTIONS = 1
# A connection that only listens is silent by nature, so it asks for a sign of life this often. What it
# missed until then costs only latency.
LISTEN_CHECK_SECONDS = 10.0
# The server ends a transaction whose client has stopped in the middle of it, because it may hold locks.
IDLE_TRANSACTION_SECONDS = 60.0

# A page or a terminal that looks at a node asks again and again. Nobody is meant to look after this long.
MOST_WATCHED_SECONDS = 60.0

# People ask long after who changed what: for a year and a month. A row has some hundred bytes.
AUDIT_KEPT_SECONDS = 400 * 24 * 3600

# A reader of state changes may be away for a weekend and a holiday.
STATE_CHANGES_KEPT_SECONDS = 7 * 24 * 3600
# Each row is small; a busy database makes about a thousand of them a second.
STATE_CHANGES_PER_SWEEP = 20_000

# People look at the last hours minute by minute, and at the weeks before by the hour. With 200 workflows and
# as many activities at work all the time that are some million rows.
MINUTES_KEPT_SECONDS = 24 * 3600
HOURS_KEPT_SECONDS = 35 * 24 * 3600
# More steps than this are more than a chart has points.
MOST_STAT_STEPS = 500
# So many rows of statistics are read: what 200 names in every metric give.
MOST_STAT_ROWS = 20_000

# So many of the oldest inbox rows are looked at for runs that they did not wake, in a few milliseconds.
WAKES_LOOKED_AT = 1_000

# An explanation of a run reads a bounded number of rows. So many of a history tell what is open in nearly
# every run, and are read in some ten milliseconds.
SITUATION_EVENT_ROWS = 1_000
# So many tasks, children, kinds of mail and versions: as many as a person looks at.
SITUATION_ROWS = 20
# A place in a queue, or a number of running tasks, is counted up to this.
SITUATION_COUNT = 1_000
