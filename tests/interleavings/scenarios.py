"""The actors and their transactions, all at the same time. Each function that ends in a call is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import psycopg

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun
from continuum.journal.audit_facts import ChangeOutcome
from continuum.journal.port import (
    CreatedRun,
    LeaseLost,
    Loaded,
    Posted,
    RunState,
    RunWrite,
    Successor,
    TakenRun,
    Transition,
)
from continuum.journal.postgres import PostgresJournal
from continuum.journal.repair_port import DamageFacts, Decision
from continuum.verify.verify import findings_of
from tests.contract.builders import end, event, new_run, signal, sleep_until
from tests.interleavings.explorer import Call, Scenario
from tests.interleavings.invariants import Violated
from tests.interleavings.world import Done, World

_POISON_AFTER = 3
AT = 1_700_000_000_000_000


def write(
    *runs: int, seq: int, what: str = "write", transition: Transition | None = None, continues: bool = False
) -> Call:
    """The first worker writes an event to runs that it owned at the beginning."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        owned = [world.runs[at] for at in runs]
        pairs = tuple((run.id, run.token) for run in owned)
        writes = [
            RunWrite(run.id, run.token, [event(seq)], transition=transition and replace(transition))
            for run in owned
        ]
        if continues:
            writes[0].successor = Successor(RunId(str(uuid4())), world.workflow, b"")
        try:
            committed = await journal.commit(world.workers[0], world.next_batch(), writes)
        except LeaseLost:
            return Done("the owner", what, pairs, world.workers[0].id, accepted=False)
        kept = tuple(pair for pair in pairs if pair[0] not in committed.rejected)
        return Done("the owner", what, kept, world.workers[0].id, accepted=bool(kept))

    return call


def release(run: int, *, seq: int) -> Call:
    """The first worker releases a run that waits for nothing but mail."""
    return write(run, seq=seq, what="release", transition=sleep_until(None))


def finish(run: int, *, seq: int) -> Call:
    """The first worker ends a run."""
    return write(run, seq=seq, what="end", transition=end())


def continue_as_new(run: int, *, seq: int) -> Call:
    """The first worker ends a run and creates its successor."""
    return write(run, seq=seq, what="continue", transition=end(), continues=True)


def claim(worker: int = 1, limit: int = 10) -> Call:
    """A worker claims what is due."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by = world.workers[worker]
        try:
            claimed = await journal.claim(by, world.code, limit)
        except LeaseLost:
            return Done(f"worker {worker}", "claim", (), by.id, accepted=False)
        pairs = tuple((run.id, run.token) for run in claimed)
        return Done(f"worker {worker}", "claim", pairs, by.id, accepted=True)

    return call


def claim_for_other_code(worker: int = 1) -> Call:
    """A worker without the code of the runs claims; what has slept until now it leaves to others."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by = world.workers[worker]
        try:
            claimed = await journal.claim(by, [Loaded("other", "v1")], 10)
        except LeaseLost:
            return Done(f"worker {worker}", "claim", (), by.id, accepted=False)
        pairs = tuple((run.id, run.token) for run in claimed)
        return Done(f"worker {worker}", "claim", pairs, by.id, accepted=not pairs)

    return call


def take(run: int, worker: int = 0) -> Call:
    """A worker takes a run, which nobody owns, with its first write."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by, run_id = world.workers[worker], world.ids[run]
        row = await world.journal.get_run(run_id)
        assert row is not None
        (token,) = await world.journal.draw_tokens(1)
        announced = AnnouncedRun(run_id, row.workflow, row.namespace, b"input", None, row.started_at)
        first = RunWrite(run_id, token, [event(0)], takes=TakenRun(announced, "v1"))
        first.transition = Transition(RunState.RUNNING)
        try:
            committed = await journal.commit(by, world.next_batch(), [first])
        except LeaseLost:
            return Done(f"worker {worker}", "take", (), by.id, accepted=False)
        return Done(
            f"worker {worker}", "take", ((run_id, token),), by.id, accepted=run_id not in committed.rejected
        )

    return call


def create(*new: int, worker: int = 0, keys: Sequence[str] = (), also: int | None = None) -> Call:
    """A worker creates runs with their first writes; in the same batch it writes to one that it owns."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by = world.workers[worker]
        ids = [world.new_ids[number] for number in new]
        tokens = await world.journal.draw_tokens(len(ids))
        writes = []
        no_keys: list[str | None] = [None] * len(ids)
        for run_id, token, key in zip(ids, tokens, keys or no_keys, strict=True):
            run = new_run(world.workflow, id=run_id, idempotency_key=key and f"{key}-{world.number}")
            first = RunWrite(run_id, token, [event(0)], creates=CreatedRun(run, "v1", world.journal.now()))
            first.transition = Transition(RunState.RUNNING)
            writes.append(first)
        if also is not None:
            owned = world.runs[also]
            writes.append(RunWrite(owned.id, owned.token, [event(0)]))
        pairs = tuple((write.run_id, write.token) for write in writes)
        try:
            committed = await journal.commit(by, world.next_batch(), writes)
        except LeaseLost:
            return Done(f"worker {worker}", "create", (), by.id, accepted=False)
        kept = tuple(pair for pair in pairs if pair[0] not in committed.rejected)
        return Done(f"worker {worker}", "create", kept, by.id, accepted=bool(kept))

    return call


def read(run: int, worker: int = 0) -> Call:
    """A worker reads a run that waits."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by = world.workers[worker]
        world.read[by.id] = await journal.parked([world.ids[run]])
        return Done(f"worker {worker}", "read", (), by.id)

    return call


def resume(worker: int = 0) -> Call:
    """A worker takes the run that it has read, which nobody owns, with its first write."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by = world.workers[worker]
        if not world.read[by.id]:
            return Done(f"worker {worker}", "resume", (), by.id, accepted=False)
        (parked,) = world.read[by.id]
        mail = [entry.id for entry in parked.mail]
        claim = parked.claim
        first = RunWrite(claim.id, claim.token, [event(len(parked.events))], mail, takes=parked.resumed)
        first.transition = Transition(RunState.RUNNING)
        pairs = ((claim.id, claim.token),)
        try:
            committed = await journal.commit(by, world.next_batch(), [first])
        except LeaseLost:
            return Done(f"worker {worker}", "resume", (), by.id, accepted=False)
        accepted = claim.id not in committed.rejected
        return Done(f"worker {worker}", "resume", pairs, by.id, accepted, len(mail))

    return call


def start(*new: int, keys: Sequence[str] = ()) -> Call:
    """A client of another process starts runs with these ids and keys."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        no_keys: list[str | None] = [None] * len(new)
        runs = [
            new_run(world.workflow, id=world.new_ids[number], idempotency_key=key and f"{key}-{world.number}")
            for number, key in zip(new, keys or no_keys, strict=True)
        ]
        started = await journal.start(runs)
        created = tuple((run.run_id, 0) for run in started if not run.existing)
        return Done("the client", "start", created, accepted=bool(created))

    return call


def post_new(number: int) -> Call:
    """A sender who knows the id of a run beforehand posts a signal to it."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        run_id = world.new_ids[number]
        (answer,) = await journal.post([signal(run_id)])
        accepted = answer is Posted.ACCEPTED
        return Done("the sender", "post", ((run_id, 0),) if accepted else (), accepted=accepted)

    return call


def write_claimed(worker: int = 1, *, releases: bool = False) -> Call:
    """A worker writes an event to every run that it has claimed in this schedule, and may release it."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        by = world.workers[worker]
        mine = [done for done in world.committed if done.what == "claim" and done.worker == by.id]
        pairs = tuple(sorted(pair for done in mine for pair in done.runs))
        if not pairs:
            return Done(f"worker {worker}", "write", (), by.id, accepted=False)
        histories = await world.journal.load([run_id for run_id, _ in pairs])
        writes = [RunWrite(run_id, token, [event(len(histories[run_id]) + 50)]) for run_id, token in pairs]
        for each in writes:
            each.transition = sleep_until(None) if releases else None
        try:
            committed = await journal.commit(by, world.next_batch(), writes)
        except LeaseLost:
            return Done(f"worker {worker}", "write", pairs, by.id, accepted=False)
        kept = tuple(pair for pair in pairs if pair[0] not in committed.rejected)
        return Done(f"worker {worker}", "write", kept, by.id, accepted=bool(kept))

    return call


def retire(worker: int = 0, *, only_expired: bool = False) -> Call:
    """Somebody ends the lease of a worker."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        before = await world.journal.node_workers(world.workers[worker].node)
        released = await journal.retire_worker(
            world.workers[worker].id, executing=None, poison_after=_POISON_AFTER, only_expired=only_expired
        )
        took = not only_expired or released.runs > 0
        return Done("the heir", "retire", (), world.workers[worker].id, accepted=took and bool(before))

    return call


def renew(worker: int = 0) -> Call:
    """A worker renews its lease."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        renewal = await journal.renew([world.workers[worker].id], 600.0, None)
        held = world.workers[worker].id in renewal.held
        return Done("the heartbeat", "renew", (), world.workers[worker].id, accepted=held)

    return call


def post(*runs: int) -> Call:
    """A sender posts a signal to runs."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        ids = [world.ids[at] for at in runs]
        answers = await journal.post([signal(run_id) for run_id in ids])
        answered = zip(ids, answers, strict=True)
        taken = tuple((run_id, 0) for run_id, answer in answered if answer is Posted.ACCEPTED)
        return Done("the sender", "post", taken, accepted=bool(taken))

    return call


def attempt(run: int, number: int) -> Call:
    """A sender makes its nth attempt to post a signal, whose key it knows alone."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        run_id = world.ids[run]
        post = signal(run_id, key=world.secret)._replace(attempt=number)
        (answer,) = await journal.post([post])
        return Done("the sender", "attempt", ((run_id, 0),), accepted=answer is Posted.ACCEPTED)

    return call


def read_mail(run: int, *, seq: int) -> Call:
    """The first worker turns the mail of a run into history, one signal at most."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        owned, worker = world.runs[run], world.workers[0]
        mail = (await journal.inbox(worker, [owned.id]))[:1]
        events = [Event(seq, EventType.SIGNAL_RECEIVED, AT, (row.name, row.body[0], row.key)) for row in mail]
        read = RunWrite(owned.id, owned.token, events, consumed=[row.id for row in mail])
        committed = await journal.commit(worker, world.next_batch(), [read])
        accepted = bool(mail) and not committed.rejected
        return Done("the owner", "write", ((owned.id, owned.token),), worker.id, accepted=accepted)

    return call


def force_cancel(run: int) -> Call:
    """An operator ends a run."""

    async def call(world: World, journal: PostgresJournal) -> Done:
        run_id = world.ids[run]
        answer = await journal.force_cancel(run_id)
        return Done("the operator", "force_cancel", ((run_id, 0),), accepted=answer is Posted.ACCEPTED)

    return call


def mend(run: int, *, lost_wake: bool = False) -> Call:
    """An operator repairs whatever the rules find in a run; with `lost_wake` that may be there."""

    def decide(facts: DamageFacts) -> Decision:
        found = [each for each in findings_of(facts.cluster, facts.run) if each.mends]
        if any(each.rule != "lost-wake" or not lost_wake for each in found):
            raise Violated(f"the repair has found {found[0].rule} in a run that nothing is wrong with")
        if not found:
            return Decision(ChangeOutcome.ALREADY)
        return Decision(ChangeOutcome.DONE, [mend for each in found for mend in each.mends])

    async def call(world: World, journal: PostgresJournal) -> Done:
        run_id = world.ids[run]
        outcome = await journal.repair(run_id, decide)
        return Done("the operator", "repair", ((run_id, 0),), accepted=outcome is ChangeOutcome.DONE)

    return call


async def _lose_wake(world: World) -> None:
    """The first run waits without an owner and has mail, and its row says that it is not due."""
    await _park(world)
    async with await psycopg.AsyncConnection.connect(world.journal._database._connector.dsn) as connection:
        await connection.execute(
            f"update {world.journal.schema}.runs set due_at = null where id = any (%s)".encode(), (world.ids,)
        )


async def _expire(world: World) -> None:
    async with await psycopg.AsyncConnection.connect(world.journal._database._connector.dsn) as connection:
        await connection.execute(
            f"update {world.journal.schema}.workers set expires_at = now() - interval '1 second' "
            f"where id = {int(world.workers[0].id)}".encode()
        )


async def _sleep(world: World) -> None:
    """Let the runs sleep until a second ago, as after a release by an owner that has ended since."""
    async with await psycopg.AsyncConnection.connect(world.journal._database._connector.dsn) as connection:
        await connection.execute(
            f"update {world.journal.schema}.runs set asleep = true, due_at = now() - interval '1 second', "
            "version = 'v1', state = 2 where id = any (%s)".encode(),
            (world.ids,),
        )


async def _park(world: World) -> None:
    """The first run waits without an owner and has mail, and both workers have read it."""
    journal, (run,) = world.journal, world.runs
    first = RunWrite(run.id, run.token, [event(0)], transition=sleep_until(None))
    await journal.commit(world.workers[0], world.next_batch(), [first])
    await journal.post([signal(run.id)])
    world.committed += [
        Done("the owner", "release", ((run.id, run.token),), world.workers[0].id),
        Done("the sender", "post", ((run.id, 0),)),
    ]
    for worker in world.workers:
        world.read[worker.id] = await journal.parked([run.id])


SCENARIOS = (
    Scenario(
        "an owner writes twice while its worker is retired and another claims",
        {"owner": [write(0, seq=0), write(0, seq=1)], "heir": [retire(), claim()]},
    ),
    Scenario(
        "a write, a retirement, and a claim with a write",
        {"owner": [write(0, seq=0)], "heir": [retire()], "other": [claim(), write_claimed()]},
    ),
    Scenario(
        "a release, a post and a claim",
        {"owner": [release(0, seq=0)], "sender": [post(0)], "other": [claim()]},
    ),
    Scenario(
        "a release, a post and a retirement",
        {"owner": [release(0, seq=0)], "sender": [post(0)], "heir": [retire()]},
    ),
    Scenario(
        "a first attempt to post, its repetition, and an owner that reads its mail twice",
        {
            "sender": [attempt(0, 1)],
            "sender again": [attempt(0, 2)],
            "owner": [read_mail(0, seq=0), read_mail(0, seq=1)],
        },
    ),
    Scenario(
        "an end, a post and a cancel by force",
        {"owner": [finish(0, seq=0)], "sender": [post(0)], "operator": [force_cancel(0)]},
    ),
    Scenario(
        "a run that continues as new, a post and a claim",
        {"owner": [continue_as_new(0, seq=0)], "sender": [post(0)], "other": [claim()]},
    ),
    Scenario(
        "a write to two runs, a post to both in the other order, and a retirement",
        {"owner": [write(0, 1, seq=0)], "sender": [post(1, 0)], "heir": [retire()]},
        owned=2,
    ),
    Scenario(
        "a write to two runs, a cancel of one by force, and a post to both",
        {"owner": [write(0, 1, seq=0)], "operator": [force_cancel(1)], "sender": [post(1, 0)]},
        owned=2,
    ),
    Scenario(
        "an expired lease is renewed and taken while its owner writes",
        {"owner": [write(0, seq=0)], "heartbeat": [renew()], "heir": [retire(only_expired=True)]},
        prepare=_expire,
    ),
    Scenario(
        "two workers claim two runs and write",
        {"one": [claim(0, 1), write_claimed(0)], "other": [claim(1, 2), write_claimed(1)]},
        owned=0,
    ),
    Scenario(
        "a claim, a retirement of the worker that claims, and a post",
        {"one": [claim(0)], "heir": [retire(0)], "sender": [post(0)]},
        owned=0,
    ),
    Scenario(
        "two workers take a run with their first writes, and a post",
        {"one": [take(0, 0)], "other": [take(0, 1)], "sender": [post(0)]},
        owned=0,
    ),
    Scenario(
        "a first write takes a run, another worker claims it and writes, and a post",
        {"one": [take(0, 0)], "other": [claim(1, 1), write_claimed(1)], "sender": [post(0)]},
        owned=0,
    ),
    Scenario(
        "a first write takes a run whose worker retires, and a claim",
        {"one": [take(0, 0)], "heir": [retire(0), claim(1), write_claimed(1)]},
        owned=0,
    ),
    Scenario(
        "a first write takes a run, a cancel by force, and a post",
        {"one": [take(0, 0)], "operator": [force_cancel(0)], "sender": [post(0)]},
        owned=0,
    ),
    Scenario(
        "two workers create the run of one key, and a client starts it",
        {
            "one": [create(0, worker=0, keys="k")],
            "other": [create(1, worker=1, keys="k")],
            "client": [start(2, keys="k")],
        },
        owned=0,
    ),
    Scenario(
        "a worker creates a run that a client starts under the same id, and a post to it",
        {"one": [create(0)], "client": [start(0)], "sender": [post_new(0)]},
        owned=0,
    ),
    Scenario(
        "two workers create the runs of two keys in two orders, and a client starts both",
        {
            "one": [create(0, 1, worker=0, keys="ab")],
            "other": [create(2, 3, worker=1, keys="ba")],
            "client": [start(4, 5, keys="ba")],
        },
        owned=0,
    ),
    Scenario(
        "a first write creates a run whose worker retires, a post to it, and a claim",
        {"one": [create(0)], "heir": [retire(0), claim(1), write_claimed(1)], "sender": [post_new(0)]},
        owned=0,
    ),
    Scenario(
        "a batch creates a run and writes to another, a cancel of that one by force, and a post to it",
        {"one": [create(0, also=0)], "operator": [force_cancel(0)], "sender": [post(0)]},
    ),
    Scenario(
        "two workers claim runs that have slept until now, and a post",
        {"one": [claim(0, 1), write_claimed(0)], "other": [claim(1, 2)], "sender": [post(0)]},
        owned=0,
        prepare=_sleep,
    ),
    Scenario(
        "a claim for other code meets runs that have slept until now, a claim and a post",
        {
            "other code": [claim_for_other_code(0)],
            "owner": [claim(1), write_claimed(1)],
            "sender": [post(1, 0)],
        },
        owned=0,
        prepare=_sleep,
    ),
    Scenario(
        "runs that have slept until now are claimed, ended by force and left by other code",
        {"other code": [claim_for_other_code(0)], "owner": [claim(1)], "operator": [force_cancel(0)]},
        owned=0,
        prepare=_sleep,
    ),
    Scenario(
        "two workers resume a run with their first writes, and a post",
        {"one": [resume(0)], "other": [resume(1)], "sender": [post(0)]},
        prepare=_park,
    ),
    Scenario(
        "a first write resumes a run, another worker claims it and writes, and a post",
        {"one": [resume(0)], "other": [claim(1), write_claimed(1)], "sender": [post(0)]},
        prepare=_park,
    ),
    Scenario(
        "a worker reads and resumes a run that another worker claims and releases",
        {"one": [read(0, 0), resume(0)], "other": [claim(1), write_claimed(1, releases=True)]},
        prepare=_park,
    ),
    Scenario(
        "a first write resumes a run whose worker retires, and a claim",
        {"one": [resume(0)], "heir": [retire(0), claim(1), write_claimed(1)]},
        prepare=_park,
    ),
    Scenario(
        "a first write resumes a run, a cancel by force, and a post",
        {"one": [resume(0)], "operator": [force_cancel(0)], "sender": [post(0)]},
        prepare=_park,
    ),
    Scenario(
        "a repair of a healthy run, a release and a post",
        {"operator": [mend(0)], "owner": [release(0, seq=0)], "sender": [post(0)]},
    ),
    Scenario(
        "a repair of a healthy run, a write and a retirement, and a claim",
        {"operator": [mend(0)], "owner": [write(0, seq=0)], "heir": [retire(), claim()]},
    ),
    Scenario(
        "a repair of a healthy run that others claim and write to, and a post",
        {"operator": [mend(0)], "one": [claim(1), write_claimed(1)], "sender": [post(0)]},
        owned=0,
    ),
    Scenario(
        "a repair of a lost wake, a claim, and a post",
        {
            "operator": [mend(0, lost_wake=True)],
            "other": [claim(1), write_claimed(1)],
            "sender": [post(0)],
        },
        prepare=_lose_wake,
    ),
    Scenario(
        "two repairs of a lost wake, and a claim that releases",
        {
            "operator": [mend(0, lost_wake=True)],
            "another": [mend(0, lost_wake=True)],
            "other": [claim(1)],
        },
        prepare=_lose_wake,
    ),
)
