"""The garbage collector of a process that has many live runs.

A live run is a few dozen long-lived objects that are no garbage. With Python's thresholds the collector goes
through them again and again, which took a third of a run host's time.
"""

from __future__ import annotations

import gc

# A collection of the second generation goes through what ten of the first leave: a million objects at most,
# in tenths of a second. After fifty it stopped the loop four times as long, for the same work in all.
THRESHOLDS = (100_000, 10, 500)


def tune_for_good() -> None:
    """Tune the collector of a process that is ours."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


class SharedCollector:
    """The collector of an application: tuned while any node in it wants that, and then as it was before."""

    def __init__(self) -> None:
        self._users = 0
        self._before = THRESHOLDS
        self._frozen = False

    def tune(self) -> None:
        """Tune it; `restore` must follow."""
        self._users += 1
        if self._users > 1:
            return
        self._before = gc.get_threshold()
        # What the application has frozen cannot be distinguished from what is frozen here.
        self._frozen = gc.get_freeze_count() == 0
        if self._frozen:
            gc.collect()
            gc.freeze()
        gc.set_threshold(*THRESHOLDS)

    def restore(self) -> None:
        """Undo one `tune`; what the application has set meanwhile stays."""
        self._users -= 1
        if self._users:
            return
        if self._frozen:
            gc.unfreeze()
        if gc.get_threshold() == THRESHOLDS:
            gc.set_threshold(*self._before)


# A process has one collector.
collector = SharedCollector()
