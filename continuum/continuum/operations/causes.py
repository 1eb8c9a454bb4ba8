"""The codes of causes: what each means, and the way out. `docs/runbook.md` is made from this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class CauseCode(NamedTuple):
    """What a code means, who ends the state by itself, and what a person does."""

    symptom: str
    meaning: str
    wakes: str
    way_out: str


# In the order in which they are looked for: the first one found is what holds the run.
CAUSES: Mapping[str, CauseCode] = {
    "ended": CauseCode(
        "The run is completed, failed, cancelled or continued",
        "The run has ended, and nothing changes it any more. A run that failed because a child failed "
        "names the child in which the failure began. A run that continued as new names the run that does "
        "the rest of its work.",
        "Nobody: it is over.",
        "Read the error and the history with `continuum runs show RUN` and `continuum runs history RUN`. A "
        "failed run continues from its failure with `continuum runs restart RUN`, once the cause is mended; "
        "`continuum runs reset RUN --at SEQ` goes back further, for example to before what a compensation "
        "has undone. If a compensation failed, `restart` tries that again; where it cannot, `--preview` of a "
        "reset names what stays done and is done a second time.",
    ),
    "drift": CauseCode(
        "The run is blocked: its history and its code differ",
        "Code that was replayed over the history asked for something else than the journal has. The run is "
        "left as it was: nothing is lost, and nothing runs twice.",
        "A node that starts with other code tries the run again by itself.",
        "`continuum runs show RUN` prints journal and code side by side. Deploy code that continues the "
        "run, for example with `continuum.patched`; then `continuum runs unblock RUN`, if the deploy has "
        "not done it. After `continuum cancel RUN` it compensates as soon as it is unblocked; `continuum "
        "cancel RUN --force` gives it up at once and compensates nothing.",
    ),
    "input": CauseCode(
        "The run is blocked: its code cannot read its input",
        "The stored arguments do not fit the parameters of the workflow, by number, name or type.",
        "A node that starts with other code tries the run again by itself.",
        "A run that has not begun ends at once with `continuum cancel RUN`: start it again with arguments "
        "that fit. For any other, deploy code whose parameters read the stored arguments; or give it up with "
        "`continuum cancel RUN --force`, which compensates nothing.",
    ),
    "poison": CauseCode(
        "The run is blocked: it kills its process",
        "The code of the run has killed its process three times, at last alone. It is kept away from nodes "
        "so that it takes no other run down.",
        "Nobody: nodes do not try it again.",
        "The log of `continuum.recovery` names each death. Mend the code, deploy it, then `continuum runs "
        "unblock RUN`. After `continuum cancel RUN` it compensates as soon as it is unblocked; `continuum "
        "cancel RUN --force` gives it up at once and compensates nothing.",
    ),
    "corrupt": CauseCode(
        "The run is blocked: something of it cannot be read",
        "Its history, its inbox, its row or the options of one of its calls cannot be read: damaged, or "
        "written by a newer release.",
        "Nobody: nodes do not try it again.",
        "`continuum verify --run RUN` names what is damaged. Restore it, or update the nodes, then "
        "`continuum runs unblock RUN`; or start it anew with its input by `continuum runs reset RUN --at 0`; "
        "or end the run with `continuum cancel RUN --force`.",
    ),
    "lost_wake": CauseCode(
        "The run has something to do, and nobody will wake it",
        "The row of the run says that it is not due, or due later, although mail lies in its inbox or a time "
        "that it waits for comes before. No node writes that: a table was changed or restored by hand, or it "
        "is a fault of ours. Nodes find runs by their due time alone.",
        "Nobody, or too late.",
        "`continuum repair lost-wake RUN` makes it due. Then `continuum verify` looks for more of the kind; "
        "report it if nobody has changed a table.",
    ),
    "paused": CauseCode(
        "The run is paused",
        "A person has paused the run, its workflow or its namespace, or the queue of an activity that it "
        "waits for. Nothing of it begins; an activity that ran when it was paused ends, and its result is "
        "kept. Signals and timers wait, deadlines do not.",
        "The person who resumes it. What became due meanwhile is due at once then.",
        "`continuum runs resume RUN`, or `continuum resume` with the workflow, queue or namespace that is "
        "paused: `continuum pauses` lists them. `continuum cancel RUN` lifts the pauses of a run, which "
        "compensates and ends; those of its queues stay.",
    ),
    "no_node": CauseCode(
        "No node can continue the run",
        "No running node has loaded the workflow in a version that may continue the run, and serves its "
        "namespace. The run is left as it is.",
        "Any node that starts with this workflow and serves the namespace.",
        "Start such a node: `continuum run-node MODULE`, with `--namespace` if your nodes have that. "
        "`continuum cancel RUN --force` ends the run without its code.",
    ),
    "draining": CauseCode(
        "The nodes that could continue the run are about to stop",
        "All running nodes that have the workflow drain: they finish what they have and claim nothing more.",
        "Any node that starts with this workflow and serves the namespace.",
        "Start another node: `continuum run-node MODULE`.",
    ),
    "refused": CauseCode(
        "The run waits for other code than the nodes have",
        "Running nodes have the workflow in a version that does not match the history of the run, and no "
        "node has the version that began it. Nothing is lost: the run waits untouched.",
        "A node that starts with the version that began the run, or with code that continues its history.",
        "`continuum runs show RUN` prints what differs. Start a node with the earlier code beside the "
        "others, or deploy code that continues both, for example with `continuum.patched`. `continuum "
        "cancel RUN --force` gives the run up.",
    ),
    "lease_lost": CauseCode(
        "The process that owned the run has lost its lease",
        "The owner has not renewed its lease in time: it is dead, cut off from the database, or stands "
        "still. Any other node takes its runs over.",
        "Any running node, within seconds.",
        "If no other node is running, start one: `continuum run-node MODULE`.",
    ),
    "owner_silent": CauseCode(
        "The process that owns the run gives no sign of life",
        "The owner is late with the renewal of its lease. If it comes back in time it continues; otherwise "
        "another node takes over when the lease ends.",
        "The owner, or another node when the lease ends.",
        "If no other node is running, start one: `continuum run-node MODULE`. `continuum nodes list` shows "
        "how long the silence has lasted.",
    ),
    "hanging": CauseCode(
        "The process that owns the run hangs",
        "The loop of the owner does not turn: code that runs in it, of this run or of another one, or an "
        "`async` activity, neither awaits nor returns. Results that have come for the runs of this process "
        "lie unread meanwhile. The node reports it with its next renewal, within seconds.",
        "The watchdog of the node, which kills the process. Its runs continue elsewhere at once; a run whose "
        "code does this three times is blocked as poison.",
        "Look for a loop or a blocking call (`time.sleep`, a lock, a request without `await`) in the code "
        "that is named, after the last event of `continuum runs history RUN`. Move it into a `def` activity. "
        "`continuum cancel RUN --force` gives the run up; the process is killed all the same.",
    ),
    "executing": CauseCode(
        "The code of the run is being executed",
        "The owner executes the workflow's own code: nothing outside is asked for at this moment. Code "
        "that does not give its process back within the watchdog's time is stopped with its process.",
        "The code itself.",
        "Wait. If it takes long, look for a loop or a blocking call in the workflow's code.",
    ),
    "activity_running": CauseCode(
        "An activity of the run is running",
        "An attempt of an activity runs. Its latest heartbeat and its deadline are given if it has them.",
        "The activity, when it returns or its time is over.",
        "Wait, or stop the run with `continuum cancel RUN`, which stops the attempt.",
    ),
    "activity_queued": CauseCode(
        "An activity of the run waits in its queue",
        "A task is queued and no process has claimed it: as many of its queue run as their nodes' limits "
        "allow, or no running node has what it needs.",
        "A process that serves the queue.",
        "Start a node that has the activity: `continuum run-node MODULE`; or raise `--queue NAME=LIMIT`.",
    ),
    "backing_off": CauseCode(
        "An activity of the run has failed and is tried again later",
        "An attempt has failed, and the next one begins when the pause of its retry policy is over.",
        "The owner of the run, at the time of the next attempt.",
        "Mend what the error names; the next attempt comes by itself. To have it now, let the run continue "
        "with all of its events, which begins its attempts anew: `continuum explain` prints the `runs reset` "
        "for that, if the attempt is more than a minute away and nothing else of the run is under way. "
        "`continuum cancel RUN` stops the run instead.",
    ),
    "timer": CauseCode(
        "The run sleeps",
        "The code waits for a time: a sleep or a timeout.",
        "The owner of the run, or any node that has the workflow, at that time.",
        "Wait, or stop the run with `continuum cancel RUN`.",
    ),
    "signal": CauseCode(
        "The run waits for a signal",
        "The code waits for a signal of this name. Signals of other names that have arrived and that no "
        "code has taken are named: one of them may be a misspelling.",
        "The sender of the signal; with a timeout also the timer.",
        "Send it: `continuum signal RUN NAME VALUE`.",
    ),
    "child": CauseCode(
        "The run waits for a child",
        "The code waits for the end of a child run. What holds the child is in the evidence, and its fixes "
        "are named here.",
        "The end of the child.",
        "`continuum explain CHILD` says what holds the child.",
    ),
    "cancelling": CauseCode(
        "The run was asked to stop and has not stopped yet",
        "The request is durable. The code of the run stops at its next step, and compensates first if it "
        "has to.",
        "The owner of the run.",
        "Wait for the compensations. `continuum cancel RUN --force` ends the run at once, without them.",
    ),
    "quarantine": CauseCode(
        "The run, or an activity of it, is suspected of killing processes",
        "It was there when processes died, or its workflow has killed several within a minute. What may have "
        "killed is tried apart from others, in company that is halved with each death, at last alone. A "
        "trial lasts for some seconds, and longer for what lived longer before; each node has one at a time.",
        "The process of a node that tries suspects, once the trials before are over.",
        "Wait for its trial; another node (`continuum run-node MODULE`) has its own beside those under way. "
        "The log of `continuum.recovery` names each death. `continuum cancel RUN --force` gives the run up.",
    ),
    "full": CauseCode(
        "The run is due, and every node that has its code is full",
        "The running nodes that have the workflow execute as many runs at a time as their settings allow "
        "(`active_runs` for each run host). Runs that wait for something do not count.",
        "One of these nodes, once a run of it ends or waits.",
        "Start another node: `continuum run-node MODULE`, or give nodes more run hosts (`--run-hosts`).",
    ),
    "ready": CauseCode(
        "The run is due and no process has claimed it yet",
        "The run has something to do, and running nodes have its code. They claim runs in turn, as far as "
        "they have room: a host executes a thousand runs at a time, unless its settings say otherwise.",
        "One of these nodes, within milliseconds if it has room.",
        "If it lasts, start another node: `continuum run-node MODULE`.",
    ),
    "unrecorded": CauseCode(
        "The run waits, and the release that parked it did not record for what",
        "A node of a release before this one has parked the run, and nothing is open in its history: it "
        "waits for a signal, or for something in its code.",
        "The sender of a signal.",
        "Look at the code after the last event of `continuum runs history RUN`. Once a node of this "
        "release has claimed the run, the cause is known.",
    ),
    "nothing": CauseCode(
        "The run waits for something that nothing outside can give it",
        "The code awaits an event, a future or a queue of its own, and no signal, timer, activity or child "
        "is pending that could set it: it waits for ever.",
        "Nobody.",
        "This is a fault in the workflow's code. Stop the run with `continuum cancel RUN`, and mend the "
        "code.",
    ),
}
