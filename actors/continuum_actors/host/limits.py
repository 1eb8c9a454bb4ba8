"""Every limit of this room, with its unit and its reason."""

from __future__ import annotations

# One claim is one UPDATE; larger ones hold the rows' locks for longer than they save.
CLAIM_BATCH = 250
# What one commit carries at most; beyond it the answer to the first writer comes too late.
COMMIT_EVENTS = 4_000
# And how many bytes: larger results than usual must not hold up everybody else's steps.
COMMIT_BYTES = 16 * 1024 * 1024
# A run whose one write is larger is blocked: Postgres ends the connection at a message of 1 GB,
# which looks like an outage, and asking again would go on for ever.
WRITE_BYTES = 512 * 1024 * 1024
# A reason is shown in a list, on one line.
REASON_CHARACTERS = 500
# A database that is down is asked again this soon, and this late.
FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 2.0
# A queue without a limit of its own, per node.
UNLISTED_QUEUE_LIMIT = 256
# How often progress of a running activity reaches the database at most.
HEARTBEAT_FLUSH_SECONDS = 0.5
# A run that its process died from executing this often is parked as blocked.
POISON_AFTER_DEATHS = 3
# Answers of tasks wait at most this long for company.
ANSWERS_PER_STATEMENT = 500
# How often a process shows that its loop turns; a watcher waits for many times as long.
BEAT_SECONDS = 1.0
# Rows that ended runs left behind cost only space.
SWEEP_SECONDS = 60.0
# A query that was cancelled is off by then.
TASKS_END_SECONDS = 1.0
# Renewing three times within a lease survives two failures.
RENEWALS_PER_LEASE = 3
# Longer than this, an error text helps nobody and burdens every reader.
ERROR_TEXT_CHARACTERS = 4_000
TRACEBACK_CHARACTERS = 8_000
# Runs of pinned code are taken over at boot; a version that another node registered later, this late.
PINNED_VERSIONS_SECONDS = 30.0
