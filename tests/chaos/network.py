"""A network of namespaces on one bridge; a place is a namespace with an address.

A one-way cut gives the sender a wrong hardware address of the receiver, so its packets vanish on the
bridge without an answer, as in a real partition. The namespaces have no names: each lives as long as
its keeper process, and all end with the namespace of processes that the play runs in.
"""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field

BRIDGE = "chaos-bridge"
SUBNET = "10.77.0."
# An address that no interface has.
NOBODY = "02:00:00:00:00:99"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something runs: an address, and the command that enters its namespace."""

    name: str
    address: str
    enter: tuple[str, ...] = ()


@dataclass(slots=True)
class Network:
    """The places of a play, and the cuts between them."""

    real: bool
    places: dict[str, Place] = field(default_factory=dict)
    # How many faults cut a way at the moment; faults overlap, each in a thread of its own.
    cuts: Counter[tuple[str, str]] = field(default_factory=Counter)
    changing: threading.Lock = field(default_factory=threading.Lock)
    keepers: list[subprocess.Popen[str]] = field(default_factory=list)

    def open(self) -> None:
        """Make the bridge, with an address for the play itself."""
        if not self.real:
            return
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "addr", "add", f"{SUBNET}254/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")

    def place(self, name: str) -> Place:
        """Return the place of this name; make it if there is none."""
        if name in self.places:
            return self.places[name]
        if not self.real:
            made = Place(name, "127.0.0.1")
        else:
            number = len(self.places) + 1
            keeper = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", "echo made; exec sleep infinity"],
                stdout=subprocess.PIPE,
                text=True,
            )
            self.keepers.append(keeper)
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == "made\n"
            made = Place(name, f"{SUBNET}{number}", ("nsenter", f"--net=/proc/{keeper.pid}/ns/net"))
            _run(
                "ip",
                "link",
                "add",
                f"v{number}",
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                str(keeper.pid),
            )
            _run("ip", "link", "set", f"v{number}", "master", BRIDGE, "up")
            _run(*made.enter, "ip", "addr", "add", f"{made.address}/24", "dev", "eth0")
            _run(*made.enter, "ip", "link", "set", "eth0", "up")
            _run(*made.enter, "ip", "link", "set", "lo", "up")
        self.places[name] = made
        return made

    def cut(self, sender: str, receiver: str) -> None:
        """Let everything vanish that one place sends to the other."""
        with self.changing:
            self.cuts[sender, receiver] += 1
            if self.cuts[sender, receiver] == 1:
                self._neighbour(sender, receiver, "replace", "lladdr", NOBODY, "nud", "permanent")

    def mend(self, sender: str, receiver: str) -> None:
        """End one cut; the way is open again when no other fault cuts it."""
        with self.changing:
            self.cuts[sender, receiver] -= 1
            if self.cuts[sender, receiver] == 0:
                self._neighbour(sender, receiver, "del")

    def _neighbour(self, sender: str, receiver: str, change: str, *how: str) -> None:
        enter, address = self.places[sender].enter, self.places[receiver].address
        _run(*enter, "ip", "neigh", change, address, *how, "dev", "eth0")

    def close(self) -> None:
        """End the namespaces."""
        for keeper in self.keepers:
            keeper.kill()
            keeper.wait()
            assert keeper.stdout is not None
            keeper.stdout.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
