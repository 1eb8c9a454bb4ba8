"""The system process of a node: a new, single-threaded Python process from which all others are forked.

The launcher runs this file as a script with two inherited descriptors: the control socket, which delivers the
plan (the cookie is never in argv), and the read end of a pipe whose end of file says that the launcher is
gone. While the launcher makes the plan, the script imports what the processes need. Then it starts the actor
system, waits until the node or the launcher ends, removes the node's directory and exits; the kernel then
kills the processes below it.
"""

import importlib
import json
import socket
import struct
import sys


def _read(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = connection.recv(count - len(received))
        if not data:
            # The launcher has ended before it had a plan, and has said why.
            raise SystemExit(1)
        received += data
    return received


def _read_block(connection: socket.socket) -> bytes:
    (length,) = struct.unpack("!I", _read(connection, 4))
    return _read(connection, length)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    life = int(sys.argv[2])
    # Before this line nothing of ours can be imported; the plan's functions need the launcher's path too.
    sys.path[:] = json.loads(_read_block(control))
    from continuum_supervision.process.system_process import run_system_process

    for module in json.loads(_read_block(control)):
        importlib.import_module(module)
    # The launcher's path may have changed meanwhile.
    sys.path[:] = json.loads(_read_block(control))
    plan = _read_block(control)
    run_system_process(plan, control, life)


if __name__ == "__main__":
    main()
