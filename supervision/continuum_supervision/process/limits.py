"""Every limit of process supervision: its name, its unit, its reason.

The limits of light actors are in `continuum_supervision/limits.py`, those of the transport in
`transport/limits.py`.
"""

# Thespian does not report a child that dies before it has an address; this tick finds it.
SUPERVISOR_TICK_S = 1.0
# Thespian reports the exit of a child a moment before the kernel has its exit status.
EXIT_RECHECK_S = 0.01
# The notices of a death are sent before the supervisor is busy forking the replacement.
RESTART_AFTER_NOTICE_S = 0.002
# Messages kept for a process that is down; it is restarted in milliseconds, so more means a loop.
MESSAGES_KEPT_WHILE_DOWN = 10_000
# A control message that cannot be sent within this time would come too late to be of use.
SEND_GIVE_UP_S = 5.0
SEND_RETRY_EVERY_S = 0.2
# A process shows at least this often that its loop turns.
LONGEST_BEAT_S = 1.0
# Beats within the silence that a process is allowed: one or two may come late.
BEATS_PER_LIMIT = 4
# A process that starts imports the user's modules, which blocks its loop; it is not hung before this.
HUNG_START_S = 60.0
# A watcher that comes this late was paused or starved itself, and with it perhaps all that it watches.
WATCHER_LATE_AFTER_S = 3.0
# A root supervisor that is silent for this long restarts nothing any more.
SUPERVISOR_HUNG_AFTER_S = 15.0
# How often the launcher looks whether the root supervisor is alive.
LAUNCHER_LOOKS_EVERY_S = 0.5
# Admin and system process end in milliseconds after the root supervisor, or they hang.
EXIT_GRACE_S = 1.0
# The part of a shutdown budget that the launcher keeps, to end what the root supervisor did not.
LAUNCHER_SHARE_S = 2.0
# More than five deaths in half a minute are no accident: the process cannot run.
DEFAULT_MAX_RESTARTS = 5
DEFAULT_MAX_RESTARTS_WITHIN_S = 30.0
# Long enough to finish a commit and release the work, short enough for an operator to wait.
DEFAULT_SHUTDOWN_BUDGET_S = 10.0
# The system process, the admin and the supervisor are up within this on a loaded machine, or not at all.
START_DEADLINE_S = 30.0
# After the last child is gone the node waits this long for its goodbyes to reach the peers.
GOODBYE_GRACE_S = 0.3
# How often to check whether the parent is alive, where the kernel does not report its death.
PARENT_POLL_S = 0.5

# Leases decide whether a node is dead; these limits only make the early sign of it quick and cheap.
PEER_HELLO_EVERY_S = 2.0
PEER_SILENT_AFTER_S = 7.0
# A lost peer is greeted for this long, so that nodes meet again by themselves after a network partition.
PEER_FORGOTTEN_AFTER_S = 3600.0
LOST_PEER_HELLO_EVERY_S = 10.0
# A joining node reports after this long that no node answered. It keeps trying.
JOIN_DEADLINE_S = 10.0
# Messages kept for one peer while an earlier batch is being sent.
MESSAGES_KEPT_FOR_PEER = 10_000
