"""One play: set up, break things under load, mend, and audit."""

from __future__ import annotations

import asyncio
import random
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import continuum
from continuum.journal.postgres.schema import migrate_schema
from tests.chaos import audit
from tests.chaos.faults import FAULTS, GRACE_S, Fault, Scene
from tests.chaos.fleet import HOUR_AHEAD, MODULES, Fleet, Service, Stop, node_command, port_of
from tests.chaos.ledger import LEDGER
from tests.chaos.load import Load
from tests.chaos.network import Network
from tests.chaos.server import Server

NODES = ("north", "south", "west")
# Healthy time after a fault of the whole database; without it nothing would ever be done.
DATABASE_REST_S = 4.0
# How long everything may take to end once nothing is broken any more.
SETTLE_S = 180.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for."""

    seed: int
    seconds: float
    every: float
    rate: float
    without: frozenset[str] = frozenset()


@dataclass
class Report:
    """What happened."""

    faults: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    repeated_calls: Counter[str] = field(default_factory=Counter)
    repeated_effects: Counter[str] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    restarts: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    settled_after: float = 0.0


def play(wishes: Wishes, *, on_stage: bool) -> Report:
    """Play once; the directory with the logs stays if anything was found."""
    directory = Path(tempfile.mkdtemp(prefix="continuum-chaos-"))
    directory.chmod(0o755)
    report = Report()
    with ExitStack() as stack:
        scene = _set_up(wishes, directory, stack, on_stage=on_stage)
        asyncio.run(_perform(wishes, scene, directory, report))
        report.restarts = scene.fleet.restarts
    if report.findings or report.broken:
        report.findings.append(f"the logs are in {directory}")
    else:
        shutil.rmtree(directory)
    return report


def _set_up(wishes: Wishes, directory: Path, stack: ExitStack, *, on_stage: bool) -> Scene:
    network = Network(real=on_stage)
    stack.callback(network.close)
    network.open()
    data = directory / "postgres"
    data.mkdir()
    server = Server(data, network.place("database"), port=5432 if on_stage else 55432, own_disk=on_stage)
    server.create()
    stack.callback(server.close)
    asyncio.run(migrate_schema(server.dsn, "continuum"))
    cookie = directory / "cookie"
    cookie.touch(mode=0o600)
    cookie.write_text(secrets.token_hex(32))
    environment = {LEDGER: str(directory / "ledger")}
    places = [network.place(name) for name in NODES]
    addresses = [f"{place.address}:{port_of(place, number)}" for number, place in enumerate(places)]
    services = [
        Service(
            place.name,
            place,
            node_command(place, server.dsn, cookie, number, addresses[number - 1]),
            environment,
            directory / f"{place.name}.log",
            # The clock of the last node is an hour ahead of the others and of the database.
            modules=(*MODULES, HOUR_AHEAD) if number == len(NODES) - 1 else MODULES,
            release=1 if number else 2,
        )
        for number, place in enumerate(places)
    ]
    fleet = Fleet(services)
    stack.callback(fleet.close)
    fleet.open()
    return Scene(fleet, network, server, random.Random(wishes.seed), threading.Event(), threading.Lock())


async def _perform(wishes: Wishes, scene: Scene, directory: Path, report: Report) -> None:
    over = asyncio.Event()
    async with continuum.connect(scene.server.dsn, schema="continuum") as client:
        load = Load(client, random.Random(wishes.seed), wishes.rate)
        work = asyncio.create_task(load.until(over))
        await _break(wishes, scene, report)
        over.set()
        for service in scene.fleet.services:
            # The newest release runs everything that is open.
            service.release = 2
        await asyncio.gather(*(asyncio.to_thread(_redeploy, service) for service in scene.fleet.services))
        begun = time.monotonic()
        await asyncio.wait([work], timeout=SETTLE_S)
        report.settled_after = time.monotonic() - begun
        if not work.done():
            work.cancel()
            await asyncio.wait([work])
        elif (error := work.exception()) is not None:
            report.findings.append(f"the load ended with {error!r}")
    stops = await asyncio.to_thread(scene.fleet.close)
    report.findings += _audit(load, scene, directory, stops)
    report.outcomes = Counter(
        f"{promise.program.flow.name}: {_kind(promise.outcome)}" for promise in load.promises
    )
    report.repeated_calls = load.repeated
    report.repeated_effects = audit.repeated_effects(directory / "ledger")
    report.rows = audit.rows(scene.server.dsn)


def _kind(outcome: str | None) -> str:
    match outcome:
        case None:
            return "open"
        case "cancelled":
            return "cancelled"
        case _:
            return "failed" if outcome.startswith("failed: ") else "completed"


def _redeploy(service: Service) -> None:
    if service.runs():
        service.stop()


async def _break(wishes: Wishes, scene: Scene, report: Report) -> None:
    """Begin a fault at every tick, each in a thread of its own, then mend everything."""
    loop = asyncio.get_running_loop()
    possible = [fault for fault in FAULTS if fault.name not in wishes.without]
    if not scene.network.real:
        report.left_out = [fault.name for fault in possible if fault.needs_network or fault.needs_disk]
        possible = [fault for fault in possible if not (fault.needs_network or fault.needs_disk)]
    begun: set[asyncio.Task[None]] = set()
    end = loop.time() + wishes.seconds
    while loop.time() < end:
        fault, node = _choose(scene, possible)
        own = replace(scene, luck=random.Random(scene.luck.getrandbits(64)))
        begun.add(asyncio.create_task(_one_fault(fault, own, node, report)))
        await asyncio.sleep(min(wishes.every, max(0.0, end - loop.time())))
    scene.over.set()
    await asyncio.wait(begun)


def _choose(scene: Scene, possible: Sequence[Fault]) -> tuple[Fault, Service]:
    """Choose a fault and a node; leave a node that has just started alone, and let one outage end first."""
    weights = [fault.weight for fault in possible]
    while True:
        fault = scene.luck.choices(possible, weights)[0]
        node = scene.luck.choice(scene.fleet.services)
        young = time.monotonic() - node.started < GRACE_S
        if fault.whole_database and not scene.database.locked():
            return fault, node
        if not fault.whole_database and (fault.spares_nodes or not young):
            return fault, node


async def _one_fault(fault: Fault, scene: Scene, node: Service, report: Report) -> None:
    if fault.whole_database and not scene.database.acquire(blocking=False):
        return
    try:
        report.faults[fault.name] += 1
        await asyncio.to_thread(fault.apply, scene, node)
        if fault.whole_database:
            await asyncio.to_thread(scene.over.wait, DATABASE_REST_S)
    except Exception as error:  # noqa: BLE001 - reported
        # The play itself is at fault; the report says so, and the other faults continue.
        report.broken.append(f"{fault.name}: {error!r}")
    finally:
        if fault.whole_database:
            scene.database.release()


def _audit(load: Load, scene: Scene, directory: Path, stops: dict[str, Stop]) -> Iterator[str]:
    ledger = directory / "ledger"
    yield from audit.wrong_outcomes(load.promises)
    yield from audit.wrong_effects(load.promises, ledger)
    yield from audit.uneven_undoings(load.promises, ledger)
    yield from audit.wrong_stops(stops)
    yield from audit.open_connections(scene.server.superuser_dsn)
    yield from audit.wrong_tables(scene.server.dsn)
    yield from audit.broken_invariants(scene.server.dsn)
