"""`Mend`: one change that mends what a check has found, by what the journal knows alone. Data only.

A rule of `continuum.verify` gives its finding the mends; `repair_port.py` says how a journal makes them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class MendKind(StrEnum):
    """What is changed, of a run unless it says otherwise."""

    WAKE = "wake"  # make it due, if nobody owns it
    FREE = "free"  # take it from an owner that does not exist, and make it due
    REQUEUE = "requeue"  # drop task `seq`, and have the run dispatch the activity again
    DROP_TASK = "drop_task"  # drop task `seq`
    DROP_MAIL = "drop_mail"  # drop the inbox of a run that has ended
    DROP_SNAPSHOTS = "drop_snapshots"  # nodes make new ones
    DROP_PUBLISHED = "drop_published"  # drop the published value `name` of its chain
    DROP_ORPHANS = "drop_orphans"  # drop the rows of table `name`
    CLEAR_END = "clear_end"  # drop result, error and time of the end of an open run
    COMPLETE_END = "complete_end"  # an ended run has no owner and no due time, and a time of its end
    RAISE_TOKENS = "raise_tokens"
    GIVE_TOKEN = "give_token"
    SET_TIMES = "set_times"  # replace times that no engine writes
    UNBLOCK = "unblock"  # let nodes try it again
    END_STOPPED = "end_stopped"  # end it: it is blocked without a history, and was asked to stop
    REPORT_CHILD = "report_child"  # write the end of its child `name` into its inbox
    ASK_TO_STOP = "ask_to_stop"  # ask it to stop, as the end of its parent does
    SHORTEN_LEASE = "shorten_lease"  # of a worker: it ends soon, unless its process renews it
    RETIRE = "retire"  # of a worker whose lease has run out: release what it owns, as a node does


class Mend(NamedTuple):
    """One change. `number` is the dispatch of the activity for REQUEUE."""

    kind: MendKind
    seq: int = -1
    number: int = 0
    name: str = ""


# What the owner of a run has in hand as well: made only while no process that lives owns the run.
ONLY_WITHOUT_OWNER = frozenset({MendKind.GIVE_TOKEN})
