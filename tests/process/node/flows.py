"""The workflows and activities of these tests; every process of a node imports them by name."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import threading
import time
from pathlib import Path

import continuum
from continuum import ActivityError, Signal, activity, activity_context, workflow

go = Signal("go", str)


@activity(name="nodes.charge")
async def charge(number: int) -> str:
    """Run in the run host's loop."""
    return f"payment {number}"


@activity(name="nodes.ship")
def ship(payment: str) -> str:
    """Run in a thread."""
    return f"shipped for {payment}"


@activity(name="nodes.refund")
async def refund(payment: str) -> None:
    """Undo a charge."""


@workflow(name="nodes.order")
async def order(number: int) -> str:
    """Charge, wait for a signal, sleep, ship."""
    async with continuum.saga() as saga:
        payment = await charge(number)
        saga.add(refund, payment)
        word = await go.wait()
        await continuum.sleep(0.02)
        return f"{word}: {await ship(payment)}"


def shipped(number: int, word: str = "yes") -> str:
    """Return the result of an order with this number."""
    return f"{word}: shipped for payment {number}"


@workflow(name="nodes.resting")
async def resting(number: int, seconds: float) -> str:
    """Charge, sleep, ship."""
    payment = await charge(number)
    await continuum.sleep(seconds)
    return await ship(payment)


@workflow(name="nodes.reading")
async def reading(directory: str) -> str:
    """Read something from outside; the first read kills the process."""
    return continuum.side_effect(lambda: read_fatally(directory))


def read_fatally(directory: str) -> str:
    """Leave a trace of every read; the first one kills the process."""
    trace = Path(directory) / "reads"
    with trace.open("a") as reads:
        reads.write("read\n")
    if trace.read_text() == "read\n":
        os.kill(os.getpid(), signal.SIGKILL)  # continuum: allow CT204, it is what the test is about
    return "read"


@activity(name="nodes.press", executor="process")
def press(directory: str, number: int) -> int:
    """Leave a trace of this attempt, and wait for a file that lets it end."""
    trace = Path(directory) / f"press-{number}-{os.getpid()}"
    trace.write_text(str(os.getpid()))
    while not (Path(directory) / f"release-{number}").exists():
        # Activity code, in a process of its own.
        os.sched_yield()
    return activity_context().attempt


@workflow(name="nodes.printing")
async def printing(directory: str, number: int) -> int:
    """Run one isolated activity."""
    return await press(directory, number)


def traces(directory: Path) -> list[int]:
    """Return the pids of the processes in which `press` began."""
    return [int(trace.name.rpartition("-")[2]) for trace in directory.glob("press-*")]


@activity(name="nodes.brew")
async def brew(directory: str, number: int) -> int:
    """Leave a trace of every start in the run host's loop, and wait for a file that lets it end."""
    with (Path(directory) / f"brew-{number}").open("a") as trace:
        trace.write(f"{os.getpid()}\n")
    # Activity code, in the loop of a run host.
    while not (Path(directory) / "brewed").exists():  # noqa: ASYNC110 - another process writes the file
        await asyncio.sleep(0.01)
    return number


@workflow(name="nodes.brewing")
async def brewing(directory: str, number: int) -> int:
    """Run one long activity."""
    return await brew(directory, number)


def starts(directory: Path) -> list[str]:
    """Return every start of the activity `brew`, with the pid of its process."""
    return sorted(
        f"{trace.name} in {pid}" for trace in directory.glob("brew-*") for pid in trace.read_text().split()
    )


@activity(name="nodes.blocked", timeout=0.2)
def blocked() -> None:
    """Block a thread of a run host for ever."""
    threading.Event().wait()


@workflow(name="nodes.blocking")
async def blocking() -> str:
    """Return the type of an activity's error."""
    try:
        await blocked()
    except ActivityError as error:
        return error.type
    return "it ended"


@activity(name="nodes.silent", executor="process", heartbeat_timeout=0.5)
def silent() -> None:
    """Send one heartbeat, and wait for ever."""
    activity_context().heartbeat("begun")
    threading.Event().wait()


@activity(name="nodes.long", executor="process", timeout=600, total_timeout=0.5)
def long() -> None:
    """Wait for ever."""
    threading.Event().wait()


@workflow(name="nodes.limited")
async def limited(which: str) -> str:
    """Return the failure of an activity."""
    try:
        await (silent if which == "silent" else long)()
    except ActivityError as error:
        return f"{error.type}: {error.message}"
    return "it ended"


@activity(name="nodes.defiant", executor="process", timeout=0.5)
def defiant() -> None:
    """Ignore every signal that can be ignored, and wait for ever."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The interpreter's own disposition: only its main thread may install a handler.
        ctypes.CDLL(None).signal(int(number), ctypes.c_void_p(1))
    threading.Event().wait()


@workflow(name="nodes.defying")
async def defying() -> str:
    """Return the type of an activity's error."""
    try:
        await defiant()
    except ActivityError as error:
        return error.type
    return "it ended"


@activity(name="nodes.stuck", executor="process", timeout=0.5)
def stuck() -> bool:
    """Hold the interpreter's lock for ever: a pattern that backtracks without end."""
    return re.match(r"(a+)+$", "a" * 64 + "b") is None


@workflow(name="nodes.reporting")
async def reporting() -> str:
    """Return the type of an activity's error."""
    try:
        await stuck()
    except ActivityError as error:
        return error.type
    return "it ended"


@activity(name="nodes.stamp", executor="process", timeout=10.0)
def stamp(text: str) -> str:
    """Do something quick in a process of its own."""
    return f"stamped {text}"


@workflow(name="nodes.parcel")
async def parcel(number: int) -> str:
    """Charge, wait for a signal, sleep, ship; every fourth one is stamped."""
    payment = await charge(number)
    word = await go.wait()
    await continuum.sleep(0.05)
    shipped = await ship(payment)
    if number % 4 == 0:
        shipped = await stamp(shipped)
    return f"{word}: {shipped}"


def delivered(number: int) -> str:
    """Return the result of a parcel with this number."""
    shipped = f"shipped for payment {number}"
    return f"yes: stamped {shipped}" if number % 4 == 0 else f"yes: {shipped}"


@workflow(name="nodes.spinning")
async def spinning() -> None:
    """Never yield to the loop."""
    while True:
        pass


@workflow(name="nodes.clocked")
async def clocked(seconds: float) -> tuple[float, float, float]:
    """Return the journaled time before and after a sleep, and the time of the machine's clock."""
    before = continuum.now().timestamp()
    await continuum.sleep(seconds)
    return before, continuum.now().timestamp(), await machine_time()


@activity(name="nodes.machine_time")
async def machine_time() -> float:
    """Read the clock of the process that runs this."""
    return time.time()


async def _until_finished(directory: str, kind: str) -> str:
    with (Path(directory) / f"lasting-{kind}").open("a") as trace:
        trace.write(f"{os.getpid()}\n")
    # Activity code, not workflow code.
    finished = Path(directory) / "finished"
    while not finished.exists():  # noqa: ASYNC110 - another process writes the file
        await asyncio.sleep(0.01)
    if error := finished.read_text():
        raise RuntimeError(error)
    return kind


@activity(name="nodes.last_in_loop")
async def last_in_loop(directory: str) -> str:
    """Last until the test says otherwise, in the loop of a run host."""
    return await _until_finished(directory, "loop")


@activity(name="nodes.last_in_thread")
def last_in_thread(directory: str) -> str:
    """Last until the test says otherwise, in a thread of a run host."""
    return asyncio.run(_until_finished(directory, "thread"))


@activity(name="nodes.last_in_queue", queue="lasting")
async def last_in_queue(directory: str) -> str:
    """Last until the test says otherwise, as an activity task."""
    return await _until_finished(directory, "queue")


@activity(name="nodes.last_in_process", executor="process")
def last_in_process(directory: str) -> str:
    """Last until the test says otherwise, in an activity host."""
    return asyncio.run(_until_finished(directory, "process"))


@activity(name="nodes.last_once", at_most_once=True)
async def last_once(directory: str) -> str:
    """Last until the test says otherwise; a second start would be one too many."""
    return await _until_finished(directory, "once")


async def _fail_when_stopped(directory: str, kind: str) -> str:
    try:
        return await _until_finished(directory, kind)
    except asyncio.CancelledError:
        raise ConnectionError("closed") from None


@activity(name="nodes.fail_in_loop")
async def fail_in_loop(directory: str) -> str:
    """Last until the test says otherwise; raise an error of its own when it is stopped."""
    return await _fail_when_stopped(directory, "failing-loop")


@activity(name="nodes.fail_in_queue", queue="lasting")
async def fail_in_queue(directory: str) -> str:
    """Last until the test says otherwise, as an activity task; raise an error when it is stopped."""
    return await _fail_when_stopped(directory, "failing-queue")


@workflow(name="nodes.failing_when_stopped")
async def failing_when_stopped(directory: str) -> list[str]:
    """Run a long activity of each kind that raises when it is stopped."""
    return list(await asyncio.gather(fail_in_loop(directory), fail_in_queue(directory)))


FAILING_KINDS = ("failing-loop", "failing-queue")
KINDS = ("loop", "thread", "queue", "process")


@workflow(name="nodes.lasting")
async def lasting(directory: str) -> list[str]:
    """Run one long activity of each kind at the same time."""
    return list(
        await asyncio.gather(
            last_in_loop(directory),
            last_in_thread(directory),
            last_in_queue(directory),
            last_in_process(directory),
        )
    )


@workflow(name="nodes.lasting_within")
async def lasting_within(directory: str, seconds: float) -> list[str]:
    """Run one long activity of each kind at the same time, each with this timeout; return how they ended."""
    ends = await asyncio.gather(
        last_in_loop.options(timeout=seconds)(directory),
        last_in_thread.options(timeout=seconds)(directory),
        last_in_queue.options(timeout=seconds)(directory),
        last_in_process.options(timeout=seconds)(directory),
        return_exceptions=True,
    )
    return [str(end) if isinstance(end, str) else f"{end}".partition("\n")[0] for end in ends]


@workflow(name="nodes.lasting_once")
async def lasting_once(directory: str) -> str:
    """Run one long activity that must not start twice."""
    try:
        return await last_once(directory)
    except ActivityError as error:
        return str(error)


def lasting_starts(directory: Path, kind: str) -> int:
    """Return how often the long activity of this kind has started."""
    trace = directory / f"lasting-{kind}"
    return len(trace.read_text().split()) if trace.exists() else 0
