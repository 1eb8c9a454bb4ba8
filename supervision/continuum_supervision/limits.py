"""Every limit of light actors and their supervisors: its name, its unit, its reason."""

# A busy actor yields to the loop after this many messages. Large enough to make the cost of a loop callback
# vanish, small enough that sixty-four handlers of a few microseconds stay well under a millisecond.
DRAIN_MESSAGES = 64

# If a light actor in the caller's own process takes longer than this to reply, it is stuck, not slow.
CALL_TIMEOUT_S = 5.0

# The time a child gets to finish its work before it is killed.
STOP_TIMEOUT_S = 5.0

# The time a killed handler gets to unwind. Starting its successor earlier would let both touch the same
# resource; waiting longer would let a handler that ignores cancellation block its supervisor for ever.
KILL_GRACE_S = 1.0

# More restarts than this within this time: restarting does not cure the fault.
MAX_RESTARTS = 3
MAX_RESTART_SECONDS = 5.0

# Passes after which a manual clock no longer waits for the loop to become idle. A chain of messages needs one
# pass per hop; a loop that is still busy after this many is spinning.
SETTLE_PASSES = 100_000

# A supervisor of thousands of children describes so many of them one by one, and counts the others.
DESCRIBED_CHILDREN = 50

# The line that says why an actor ended: what a page or a terminal shows of it.
REASON_CHARACTERS = 200
