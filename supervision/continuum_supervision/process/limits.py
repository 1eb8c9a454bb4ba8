"""Every limit of process supervision: its name, its unit, its reason.

The limits of light actors are in `continuum_supervision/limits.py`, those of the transport in
`transport/limits.py`.
"""

# Thespian loses the news of a child that dies before it has an address; this tick finds it.
SUPERVISOR_TICK_S = 1.0
# A finished child says goodbye a moment before the kernel has its exit status.
EXIT_RECHECK_S = 0.01
# The notices of a death leave before the supervisor is busy forking the replacement.
RESTART_AFTER_NOTICE_S = 0.002
# Messages kept for a process that is down; it is restarted in milliseconds, so more means a loop.
MESSAGES_KEPT_WHILE_DOWN = 10_000
# A control message that cannot be handed over in this time is a hint that came too late.
SEND_GIVE_UP_S = 5.0
SEND_RETRY_EVERY_S = 0.2
# Five deaths in half a minute are a process that cannot live, not an accident.
DEFAULT_MAX_RESTARTS = 5
DEFAULT_MAX_RESTARTS_WITHIN_S = 30.0
# Long enough to finish a commit and hand work over, short enough for an operator to wait for.
DEFAULT_SHUTDOWN_BUDGET_S = 10.0
# The system process, the admin and the supervisor are up within this on a loaded machine, or not at all.
START_DEADLINE_S = 30.0
# After the last child is gone the node waits this long for its goodbyes to reach the peers.
GOODBYE_GRACE_S = 0.3
# Only where the kernel cannot tell us that a parent died: how often to ask.
PARENT_POLL_S = 0.5

# A node's death is decided by leases; these only make the hint quick and cheap.
PEER_HELLO_EVERY_S = 2.0
PEER_SILENT_AFTER_S = 7.0
# A lost peer is called for this long, so that a healed partition joins again by itself.
PEER_FORGOTTEN_AFTER_S = 3600.0
LOST_PEER_HELLO_EVERY_S = 10.0
# How long a joining node waits before it says that nobody answered. It goes on trying.
JOIN_DEADLINE_S = 10.0
# Messages kept for one peer while an earlier batch is under way.
MESSAGES_KEPT_FOR_PEER = 10_000
