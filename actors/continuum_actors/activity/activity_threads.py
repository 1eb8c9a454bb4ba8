"""The activity threads: where plain (`def`) activities run.

One pool serves the whole process, whichever actor runs the activity, so that its size is a limit
of the process. It starts before the actors that use it and ends after them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from continuum_actors.host.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason


class ActivityThreads(Actor):
    """Owns the thread pool."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def init(self) -> None:
        threads = ThreadPoolExecutor(self._host.settings.activity_threads, thread_name_prefix="activity")
        self._host.threads = threads

        def shut_down(ref: ActorRef, reason: ExitReason) -> None:
            # A call that is running cannot be interrupted; waiting for it would block the loop.
            threads.shutdown(wait=False, cancel_futures=True)

        # Not `terminate`, which is not called after a kill.
        self.ref.on_exit(shut_down)
