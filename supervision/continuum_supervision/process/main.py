"""The system process of a node: a new, single-threaded Python process from which all others are forked.

The launcher runs this file as a script with two inherited descriptors: the control socket, which delivers the
plan (the cookie is never in argv), and the read end of a pipe whose end of file says that the launcher is
gone. The script starts the actor system, waits until the node or the launcher ends, removes the node's
directory and exits; the kernel then kills the processes below it.
"""

import json
import socket
import struct
import sys


def _read(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = connection.recv(count - len(received))
        if not data:
            raise SystemExit("the launcher went away before it had said what to start")
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
    plan = _read_block(control)

    from continuum_supervision.process.system_process import run_system_process

    run_system_process(plan, control, life)


if __name__ == "__main__":
    main()
