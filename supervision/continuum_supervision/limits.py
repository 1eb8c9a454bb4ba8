"""Every limit of light supervision: its name, its unit, its reason."""

# One busy actor gives way to the loop after this many messages. Large enough to
# make the cost of a loop callback vanish, small enough that sixty-four handlers
# of a few microseconds stay well under a millisecond.
DRAIN_MESSAGES = 64

# A caller that waits longer than this for a light actor in its own process is
# looking at a stuck actor, not at a slow one.
CALL_TIMEOUT_S = 5.0

# What a child gets to finish its work before it is killed.
STOP_TIMEOUT_S = 5.0

# A killed handler gets this long to unwind. Restarting its successor earlier
# would let both touch the same resource; waiting longer would let a handler that
# ignores cancellation hold its supervisor for ever.
KILL_GRACE_S = 1.0

# More crashes than this in this time is a fault that a restart does not cure.
MAX_RESTARTS = 3
MAX_RESTART_SECONDS = 5.0

# Passes of the loop a manual clock waits for silence. A chain of messages needs
# one pass a hop; a loop still busy after this many is spinning, not settling.
SETTLE_PASSES = 100_000
