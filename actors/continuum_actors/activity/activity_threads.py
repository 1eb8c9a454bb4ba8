"""The activity threads: where plain (`def`) activities run.

One pool serves the whole process, whichever actor runs the activity, so that its size is a limit
of the process. It starts before the actors that use it and ends after them.
"""

from __future__ import annotations

from continuum_actors.host.host import Host
from continuum_actors.host.thread_pool import ThreadPool
from continuum_supervision import Actor, ActorRef, ExitReason, is_abnormal


class ActivityThreads(Actor):
    """Owns the thread pool."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._threads = ThreadPool(host.settings.activity_threads)

    def init(self) -> None:
        self._host.threads = self._threads
        self.ref.on_exit(self._close)

    def terminate(self, reason: ExitReason) -> None:
        """Cancel the calls that wait for a thread: the actors that made them have ended.

        After a crash those actors live, and their calls still get a thread.
        """
        if not is_abnormal(reason):
            self._threads.cancel_waiting()

    def _close(self, ref: ActorRef, reason: ExitReason) -> None:
        """Let the threads end, also after a kill.

        Then the actors that use the pool are still alive for a moment, and their activities get a thread.
        """
        self._threads.close()
