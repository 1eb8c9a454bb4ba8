"""What each mend does, in words, for the preview of a repair."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.journal.limits import SHORTENED_LEASE_SECONDS
from continuum.journal.mend import Mend, MendKind

_STEPS: Mapping[MendKind, str] = {
    MendKind.WAKE: "make the run due now, so that a node claims it",
    MendKind.FREE: "take the run from the owner that does not exist, and make it due if it has not ended",
    MendKind.REQUEUE: "drop task {seq}, and have the run dispatch the activity again",
    MendKind.DROP_TASK: "drop task {seq}",
    MendKind.DROP_MAIL: "drop the inbox of the run, which has ended",
    MendKind.DROP_SNAPSHOTS: "drop the snapshots of the run; nodes make new ones from its events",
    MendKind.DROP_PUBLISHED: "drop the published value {name}",
    MendKind.DROP_ORPHANS: "drop the rows of table {name} that belong to no run",
    MendKind.CLEAR_END: "drop the result, error and time of an end that the run has not come to",
    MendKind.COMPLETE_END: "take owner and due time from the ended run, and give it the time of its end",
    MendKind.RAISE_TOKENS: "have the next fencing token be larger than that of the run",
    MendKind.GIVE_TOKEN: "release the run under a new fencing token, due now",
    MendKind.SET_TIMES: "set its times to those of its events, and an odd due time to now",
    MendKind.UNBLOCK: "unblock the run, so that a node tries it again",
    MendKind.END_STOPPED: "end the run as cancelled, as it was asked to",
    MendKind.REPORT_CHILD: "write the end of child {name} into the inbox of the run",
    MendKind.ASK_TO_STOP: "ask the run to stop, as the end of its parent does",
    MendKind.SHORTEN_LEASE: (
        f"let the lease end in {SHORTENED_LEASE_SECONDS:.0f} seconds, unless its process renews it"
    ),
    MendKind.RETIRE: "release the runs and tasks of the worker, as a node does",
}


def step(mend: Mend) -> str:
    """Return what a mend does."""
    return _STEPS[mend.kind].format(seq=mend.seq, name=mend.name)
