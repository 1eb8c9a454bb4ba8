"""Every limit of the sealed transport: its name, its unit, its reason."""

# A control message is a few kilobytes; a batch of several thousand of them still fits. Beyond this
# a sender has confused the control plane with a data plane.
FRAME_BODY_MAX_BYTES = 16 * 1024 * 1024
# Frames of one sender may overtake each other on different sockets and be retried for minutes;
# anything further behind than this is refused as a replay.
REPLAY_WINDOW_FRAMES = 8192
# One session per process incarnation that has ever sent us a frame; the least recently used is dropped.
SESSIONS_REMEMBERED = 4096
# 32 bytes are 256 bits, the strength of the cipher: a shorter secret would be its weakest part.
COOKIE_MIN_BYTES = 32
# A cookie is a line of text; a larger file is the wrong file.
COOKIE_MAX_BYTES = 4096
# Stock Thespian keeps a silent half-sent frame for seven minutes; a peer without the cookie could use up
# the process's descriptors with those. The largest frame over a slow link fits in this.
UNFINISHED_FRAME_S = 30.0
# Half-received frames held at a time; beyond this the oldest is dropped (its sender retries).
UNFINISHED_FRAMES_MAX = 128
# A bad peer costs one log line a minute, whatever it sends.
REFUSED_PEER_LOG_EVERY_S = 60.0
