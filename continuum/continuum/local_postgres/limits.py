"""Every limit of the embedded server, with its unit and its reason.

The keeper runs as a script of its own and receives these values as arguments.
"""

from __future__ import annotations

# The oldest server that has everything the journal's SQL uses.
OLDEST_POSTGRES_MAJOR = 14

# Two nodes with a few run hosts, their pools, listeners and a client at the prompt.
MAX_CONNECTIONS = 200

# A laptop keeps its memory; the journal's hot pages are few.
SHARED_BUFFERS = "128MB"

# A cold start takes under a second; a crashed server on a slow disk first replays its log.
START_TIMEOUT_S = 60.0

# A fast shutdown ends sessions and writes a checkpoint; after this time it is cut short, which costs
# a replay of the log at the next start and loses nothing.
STOP_TIMEOUT_S = 20.0

# Between two looks of a process that waits; a look costs one small read.
LOOK_AGAIN_S = 0.005

# A server that dies while in use is started again, but one that keeps dying is not retried for ever.
RESTARTS = 10
RESTARTS_WITHIN_S = 60.0

# The kernel allows 108 bytes on Linux and 104 on macOS, for the directory, a slash, the name and a zero.
SOCKET_PATH_BYTES = 100

# Enough of the server's log to see why it would not start, short enough for one line.
LOG_LINES_SHOWN = 3
