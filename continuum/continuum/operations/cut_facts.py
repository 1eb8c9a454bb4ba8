"""What cuts are made of: the history that is cut, the plan that a preview shows, why a place is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from continuum.engine.events import Event, Forking


@dataclass(frozen=True, slots=True)
class CutCall:
    """An activity or compensation of the run that is cut; `was` is what had become of it there.

    `at_most_once` says that the call had this option. A history does not have the defaults of the activity.
    """

    seq: int
    name: str
    compensation: bool
    was: str
    at_most_once: bool = False


@dataclass(frozen=True, slots=True)
class CutChild:
    """A child that the run which is cut has started, by event `seq`."""

    seq: int
    run_id: str
    workflow: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run does that begins with the events of `run_id` before event `at`, of `events` in all.

    `runs_again` are the calls pending at the cut: they begin again at once, with attempt 1. One that is
    still pending keeps a result that has arrived unread, and does not. `may_run_again` are those after
    it: they run again if the code asks for them again. The results in `keeps` and the signals of
    `signals` came later and are delivered again; `children` have ended and report that again. `left` are
    the children that were started after the cut and stay with the run that is cut. What came from event
    `unreadable` on is not known, and not delivered again. What `stands` was done after the cut, and is done
    a second time if the code asks for it again.
    """

    run_id: str
    how: Forking
    at: int
    events: int
    runs_again: tuple[CutCall, ...]
    may_run_again: tuple[CutCall, ...]
    keeps: tuple[CutCall, ...]
    signals: tuple[str, ...]
    children: tuple[CutChild, ...]
    left: tuple[CutChild, ...]
    unreadable: int | None = None
    stands: tuple[CutStanding, ...] = ()


def tried_again(cut: Cut) -> tuple[str, ...]:
    """Return the names of the compensations that have failed and run again at once."""
    return tuple(call.name for call in cut.runs_again if call.compensation and call.was == "failed")


@dataclass(frozen=True, slots=True)
class CutStanding:
    """An activity that was done, by event `seq`, and that no compensation has undone for sure.

    `undoing` is the compensation that was to undo it, and has not completed; None if there is none. The
    history may not say which of the compensations of a block was: then it is one of `among`.
    """

    seq: int
    name: str
    undoing: str | None = None
    undoing_seq: int | None = None
    among: int = 1


@dataclass(frozen=True, slots=True)
class Relative:
    """Another run that counts on the first `shared` events of the run that is cut; `events` are its own.

    These follow the shared ones, or else the run `continues` as new what was done there: then their numbers
    begin anew.
    """

    run_id: str
    shared: int
    events: Sequence[Event]
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """What event `seq` of the run that is cut has begun may have been undone elsewhere.

    So may what other events before `before` have begun. A `seq` of -1 is what the run began with.
    """

    seq: int
    why: str
    before: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """The events of a run, and which of the children that never reported their end have ended."""

    run_id: str
    events: Sequence[Event]
    has_ended: Callable[[str], bool]
    relatives: Sequence[Relative] = ()
    undone: Sequence[Undone] = ()
    # It continues a run as new that had done something.
    inherits: bool = False
    # A node may execute what is pending.
    is_open: bool = False
    # The children without a reported end that the journal no longer has.
    removed: frozenset[str] = frozenset()
    # The seq behind the last event that is stored, if some cannot be read.
    stored: int = 0

    @property
    def length(self) -> int:
        """How many events there are, readable or not."""
        return max(self.stored, len(self.events))


@dataclass(frozen=True, slots=True)
class Bound:
    """Why a history cannot be cut at a place, and where it must be cut at the latest."""

    at: int
    why: str
