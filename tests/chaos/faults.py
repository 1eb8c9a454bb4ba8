"""The faults: each breaks one thing, waits if it has a duration, mends it, and says what it did."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import database_faults
from tests.chaos.fleet import Fleet, Service, send
from tests.chaos.network import Network
from tests.chaos.server import Server

# A node that has just started is left alone until it can have done some work.
GRACE_S = 4.0


@dataclass
class Scene:
    """What a fault can reach."""

    fleet: Fleet
    network: Network
    server: Server
    luck: random.Random
    # Set when everything is to be mended at once.
    over: threading.Event
    # Held by a fault of the whole database; two at once would only be one.
    database: threading.Lock


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, how often it is chosen, and what it needs."""

    name: str
    weight: int
    apply: Callable[[Scene, Service], None]
    needs_network: bool = False
    needs_disk: bool = False
    # Nodes may have just started.
    spares_nodes: bool = False
    whole_database: bool = False


def kill_process(scene: Scene, node: Service) -> None:
    """Kill any process of a node."""
    processes = node.processes()
    if processes:
        send(scene.luck.choice(processes), signal.SIGKILL)


def kill_node(scene: Scene, node: Service) -> None:
    """Kill every process of a node at once."""
    node.send(signal.SIGKILL)


def pause_process(scene: Scene, node: Service) -> None:
    """Stop a process for a while, shorter or longer than a lease."""
    processes = node.processes()
    if processes:
        paused = scene.luck.choice(processes)
        send(paused, signal.SIGSTOP)
        scene.over.wait(scene.luck.uniform(0.1, 9.0))
        send(paused, signal.SIGCONT)


def pause_node(scene: Scene, node: Service) -> None:
    """Stop a whole node, as a virtual machine that is moved."""
    processes = node.processes()
    for process in processes:
        send(process, signal.SIGSTOP)
    scene.over.wait(scene.luck.uniform(0.5, 15.0))
    for process in processes:
        send(process, signal.SIGCONT)


def stop_node(scene: Scene, node: Service) -> None:
    """Tell a node to stop; its service manager starts it again."""
    if node.runs() and node.launcher is not None:
        node.launcher.terminate()


def deploy(scene: Scene, node: Service) -> None:
    """Stop a node in order and start it with the other release."""
    node.release = 3 - node.release
    stop_node(scene, node)


def partition(scene: Scene, node: Service) -> None:
    """Cut a node from the database or from another node, one way or both, for a while."""
    network, luck = scene.network, scene.luck
    others = [other for other in network.places if other != node.name]
    other = "database" if luck.random() < 0.5 else luck.choice(others)
    ways = luck.choice([[(node.name, other)], [(other, node.name)], [(node.name, other), (other, node.name)]])
    for way in ways:
        network.cut(*way)
    scene.over.wait(luck.uniform(0.5, 12.0))
    for way in ways:
        network.mend(*way)


FAULTS = (
    Fault("kill a process", 30, kill_process),
    Fault("kill a node whole", 4, kill_node),
    Fault("pause a process", 14, pause_process),
    Fault("pause a node whole", 3, pause_node),
    Fault("stop a node in order", 3, stop_node),
    Fault("deploy another release", 4, deploy),
    Fault("partition", 10, partition, needs_network=True, spares_nodes=True),
    Fault("end database sessions", 14, database_faults.end_sessions, spares_nodes=True),
    Fault("hold locks in the database", 8, database_faults.hold_locks, spares_nodes=True),
    Fault("kill Postgres", 2, database_faults.kill, whole_database=True),
    Fault("restart Postgres", 1, database_faults.restart, whole_database=True),
    Fault("pause Postgres", 2, database_faults.pause, whole_database=True),
    Fault("use up the connections", 2, database_faults.use_up_connections, whole_database=True),
    Fault("make Postgres a standby", 1, database_faults.become_standby, whole_database=True),
    Fault("fill the disk of Postgres", 1, database_faults.fill_disk, needs_disk=True, whole_database=True),
)
