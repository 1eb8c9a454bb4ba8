"""Main functions for the processes that the tests start; a node imports them."""

import asyncio
import os
import select

from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.events import Incoming, PeerDown, PeerUp, ProcessDied, ProcessStarted


async def echo(context: ProcessContext) -> None:
    """Report what is received, obey a few commands, end when asked to."""
    context.ready()

    def on_message(incoming: Incoming) -> None:
        match incoming.message:
            case ("send", str(target), message):
                context.send(target, message)
            case ("send_to_peer", str(node), str(target), message):
                context.send_to_peer(node, target, message)
            case ("kill", str(target), int(incarnation)):
                context.kill(target, incarnation)
            case ("ping", number):
                context.report(("pong", number, os.getpid()))
            case ("execute", bytes(run_id)):
                context.own_liveness.set_worker_id(7)
                context.own_liveness.executing(run_id)
                context.report("executing")
            case ProcessDied() | ProcessStarted() | PeerUp() | PeerDown() as notice:
                context.report(("notice", notice))
            case message:
                context.report(("received", message, incoming.process_id, incoming.node))

    context.on_message(on_message)
    await context.shutdown_requested.wait()
    context.report("stopping")


async def unresponsive(context: ProcessContext) -> None:
    """Never end when asked to."""
    context.ready()
    await asyncio.get_running_loop().create_future()


async def hung(context: ProcessContext) -> None:
    """Block the loop for ever."""
    context.ready()
    while True:
        select.select([], [], [])


async def crashing(context: ProcessContext) -> None:
    """Die at once."""
    os._exit(3)


async def raising(context: ProcessContext) -> None:
    raise ValueError("this main always fails")


async def unresponsive_once_then_echo(context: ProcessContext) -> None:
    """Ignore messages in the first incarnation."""
    if context.incarnation == 1:
        await unresponsive(context)
    await echo(context)


async def draining(context: ProcessContext) -> None:
    """Report when asked to drain, and end at the next message."""
    context.ready()
    over = asyncio.Event()
    context.on_message(lambda _: over.set())
    await context.drain_requested.wait()
    context.report("draining")
    await over.wait()


async def blocked_once_then_echo(context: ProcessContext) -> None:
    """Block the loop in the first incarnation, once it is ready."""
    if context.incarnation == 1:
        await hung(context)
    await echo(context)
