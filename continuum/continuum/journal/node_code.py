"""What a node reports about itself: its release, and the code that it has loaded. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from continuum.journal.version_facts import Loaded


class NodeCode(NamedTuple):
    """The release of the package, and the workflows and activities that a node may execute.

    A workflow that `takes_others` also takes runs of versions that the node has not loaded. `queues` has how
    many activities of a queue the node runs at once, by name, and `unlisted` how many of each other queue.
    Each of its run hosts executes `active_runs` at once. None is not known. `attempts` has how often an
    activity is tried, if that is more than once and its call does not say otherwise.
    """

    release: str
    loaded: Sequence[Loaded]
    activities: Sequence[str]
    queues: Sequence[tuple[str, int]] = ()
    unlisted: int | None = None
    active_runs: int | None = None
    attempts: Sequence[tuple[str, int]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what a JSON column stores."""
        loaded = [(each.workflow, each.version, each.takes_others) for each in self.loaded]
        return {
            "release": self.release,
            "loaded": loaded,
            "activities": list(self.activities),
            "queues": list(self.queues),
            "unlisted": self.unlisted,
            "active_runs": self.active_runs,
            "attempts": list(self.attempts),
        }

    def limit_of(self, queue: str) -> int | None:
        """Return how many activities of a queue the node runs at once, None if that is not known."""
        return dict(self.queues).get(queue, self.unlisted)

    def may_execute(self, workflow: str, version: str | None, refused: Sequence[str] = ()) -> bool:
        """Return whether a run that these versions refused may be executed; version None is none yet."""
        return any(
            each.workflow == workflow
            and (version in (None, each.version) or (each.takes_others and each.version not in refused))
            for each in self.loaded
        )

    @classmethod
    def from_json(cls, stored: object) -> NodeCode | None:
        """Return what a JSON column holds, None if that is something else."""
        if not isinstance(stored, Mapping):
            return None
        try:
            return cls(
                str(stored["release"]),
                [
                    Loaded(str(workflow), str(version), takes_others=bool(others))
                    for workflow, version, others in stored["loaded"]
                ],
                [str(activity) for activity in stored["activities"]],
                [(str(name), int(limit)) for name, limit in stored.get("queues", ())],
                _optional(stored.get("unlisted")),
                _optional(stored.get("active_runs")),
                [(str(name), int(number)) for name, number in stored.get("attempts", ())],
            )
        except (KeyError, TypeError, ValueError):
            return None


def _optional(number: Any) -> int | None:
    return None if number is None else int(number)
