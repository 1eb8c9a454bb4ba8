"""Every limit of this room, with its unit and its reason."""

from __future__ import annotations

from continuum.journal.limits import POISON_AFTER_DEATHS as POISON_AFTER_DEATHS

# One claim is one UPDATE; a larger one holds the rows' locks for longer than it saves.
CLAIM_BATCH = 250
# Runs that are announced to one process alone may be active beyond the limit, up to this part of it.
ROOM_FOR_ANNOUNCED = 10
# Timers that fire in one turn of the loop: their runs keep it busy for about 50 ms.
TIMERS_PER_TURN = 1_000
# Runs that mail wakes in one turn of the loop, which they keep busy for some milliseconds.
WOKEN_PER_TURN = 25
# While so many writes wait for the next commit, mail wakes no further runs. It wakes runs beyond the limit of
# active ones, and a burst of it would write before each step of all others.
WAITING_WRITES = 50
# Events in one commit; with more, the first writer waits too long for its confirmation.
COMMIT_EVENTS = 4_000
# Bytes in one commit: unusually large results must not delay the steps of all other runs.
COMMIT_BYTES = 16 * 1024 * 1024
# A run whose single write is larger is blocked: Postgres ends the connection at a message of 1 GB,
# which looks like an outage, and the retry would never end.
WRITE_BYTES = 512 * 1024 * 1024
# A reason is shown in a list, on one line.
REASON_CHARACTERS = 500
# Tasks of a queue without a limit of its own, per node.
UNLISTED_QUEUE_LIMIT = 256
# The shortest time between two writes of an activity's heartbeats.
HEARTBEAT_FLUSH_SECONDS = 0.5
# A suspect whose process has survived it for this long is acquitted: what kills a process mostly does so at
# once. What kills later mostly does so after the same time again: the trial takes this many times as long as
# the suspect had lived in the process that died, up to a limit, for others wait meanwhile. If a process dies
# after an acquittal, its next trial and that limit are this many times as long. There is an end to that too.
TRIAL_SECONDS = 5.0
PATIENCE_IN_TRIAL = 1.5
LONG_TRIAL_SECONDS = 20.0
LONGER_TRIAL = 4
LONGEST_TRIAL_SECONDS = 320.0
# Nobody sees what kills an application. It must have lived for this long, and for this many times as long as
# at earlier deaths, before a suspect is alone: one that dies of itself after each start has died by then.
APPLICATION_LIVES_SECONDS = 10.0
APPLICATION_LIVES_LONGER = 1.5
# A quarantine host that is replaced waits so long for activities to end: the next suspect waits, too.
CROWDED_DRAIN_SECONDS = 1.0
# How soon a quarantine host looks for more suspects, and how often a node asks whether there are any.
NEXT_TRIAL_SECONDS = 0.5
LOOK_FOR_SUSPECTS_SECONDS = 5.0
# How soon a node without LISTEN looks again after something has happened, and how much longer each pause is
# that follows. After so long, mail with a lower number has been committed. A look at all mail takes longer
# the more runs the node has.
FIRST_LOOK_SECONDS = 0.05
LOOK_GROWTH = 1.5
LATE_MAIL_SECONDS = 2.0
LOOK_AT_ALL_MAIL_SECONDS = 10.0
# A claim that was under way when something was paused has brought its runs by then.
LOOK_FOR_CLAIMED_SECONDS = 0.5
# While a paused run waits for its activities here, a process looks this often whether it may continue.
LOOK_FOR_UNPAUSED_SECONDS = 2.0
# Processes tell where a run is within milliseconds; one that has not by then is busy, or does not have it.
FIND_RUN_SECONDS = 1.0
# Searches at a time: beyond it, the polls of the owners find the mail.
SEARCHES = 1_000
# Results of activity tasks stored with one statement.
RESULTS_PER_STATEMENT = 500
# Rows that ended runs left behind cost only space.
SWEEP_SECONDS = 60.0
# A cancelled query has ended by then.
TASKS_END_SECONDS = 1.0
# Three renewals within a lease survive two failures.
RENEWALS_PER_LEASE = 3
# An operator's request to drain is read with a renewal, however long the lease.
LONGEST_RENEWAL_SECONDS = 5.0
# A renewal that is this much later than planned was held up: by the database, or this process stood still.
LATE_RENEWAL_SECONDS = 1.0
# A loop beats each second, or oftener. One that has not for so long is not only slow, and the node says so.
REPORT_SILENCE_SECONDS = 2.0
# While somebody looks at the node, it renews and reports this often; its processes have so long to answer.
REPORT_EVERY_SECONDS = 1.0
REPORT_ANSWER_SECONDS = 1.0
# How late the loop of a process is, is seen from one call that is due so soon.
LAG_SAMPLE_SECONDS = 0.01
# The stacks of a process that are reported, in bytes of text, and the innermost frames of each.
STACKS_BYTES = 64 * 1024
STACK_FRAMES = 64
# After an outage every process has renewed by then: it tries every two seconds, for up to five each time.
RECONNECTING_SECONDS = 6.0
# A longer error text is of no use and slows every reader down.
ERROR_TEXT_CHARACTERS = 4_000
TRACEBACK_CHARACTERS = 8_000
# Runs of pinned code are found at boot; those of a version that another node registers later, this late.
PINNED_VERSIONS_SECONDS = 30.0
# A plain activity that waits longer for a thread is reported: the node has too few, or activities hang.
REPORT_WAIT_FOR_THREAD_SECONDS = 10.0
# More names than this say no more about what takes all threads.
REPORTED_ACTIVITIES = 5
# Clean-up after a deadline is ordinary for this long; then the log says what still runs.
REPORT_LEFTOVER_SECONDS = 1.0
# Each leftover holds a thread or a task for ever. This many are a fault that lasts, and cost little memory.
LEFTOVERS_PER_HOST = 64
# Turns of the loop in which a cancelled activity can end, so that its last heartbeat and traceback are kept.
TURNS_TO_END = 5


def renewal_pause(lease_ttl: float) -> float:
    """Return how many seconds lie between two renewals of a lease."""
    return min(lease_ttl / RENEWALS_PER_LEASE, LONGEST_RENEWAL_SECONDS)
