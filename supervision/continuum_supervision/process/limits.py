"""Every limit of the process half of supervision: name, unit, reason.

What a limit protects stands beside it; nothing else lives here. The light actors
keep their own limits with their own modules.
"""

# A control message is a few kilobytes; a batch of several thousand of them still fits. Beyond this
# a sender has confused the control plane with a data plane.
FRAME_BODY_MAX_BYTES = 16 * 1024 * 1024
# Frames of one sender may overtake each other on different sockets and be retried for minutes;
# anything further behind than this is refused as a replay.
REPLAY_WINDOW_FRAMES = 8192
# One session per process incarnation that ever spoke to us; the least recently heard is forgotten.
SESSIONS_REMEMBERED = 4096
# 32 bytes are 256 bits, the strength of the cipher: a shorter secret would be its weakest part.
COOKIE_MIN_BYTES = 32
# A cookie is a line of text; a larger file is the wrong file.
COOKIE_MAX_BYTES = 4096


# Stock Thespian keeps a silent half-sent frame for seven minutes; a stranger could fill the process's
# descriptors with those. The largest frame over a slow link fits in this.
UNFINISHED_FRAME_S = 30.0
# Half-received frames held at a time; beyond this the oldest is dropped (its sender retries).
UNFINISHED_FRAMES_MAX = 128
# A bad peer costs one log line a minute, whatever it sends.
STRANGER_LOG_EVERY_S = 60.0


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
