"""The activity threads: where plain (`def`) activities run.

One pool serves the whole process, whichever actor runs the activity, so that its size is a limit
of the process. It starts before the actors that use it and ends after them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from continuum_actors.host.host import Host
from continuum_supervision import Actor, ExitReason


class ActivityThreads(Actor):
    """Owns the thread pool."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._threads = ThreadPoolExecutor(host.settings.activity_threads, thread_name_prefix="activity")

    def init(self) -> None:
        self._host.threads = self._threads

    def terminate(self, reason: ExitReason) -> None:
        """Shut the pool down: the actors that use it have ended.

        After a kill, when this is not called, they are still alive for a moment, and an activity that
        found the pool shut down would fail. Then the pool ends when the last of them has dropped it.
        """
        # A call that is running cannot be interrupted; waiting for it would block the loop.
        self._threads.shutdown(wait=False, cancel_futures=True)
