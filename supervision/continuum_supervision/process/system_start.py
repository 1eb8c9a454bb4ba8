"""`SystemStart`: a system process that has been started and waits for the plan of its node.

A launcher that has something to check first starts it before that: both then import at the same time. This
module loads little, so that it can be used before anything else is imported.
"""

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_LENGTH = struct.Struct("!I")


class SystemStart:
    """A started system process; as a context it is ended if no plan was sent by the end of the block."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """Start the process; it imports `modules`, which must not be the user's: it only forks others."""
        self.control, theirs = socket.socketpair()
        life_read, self.life = os.pipe()
        self.planned = False
        try:
            script = str(Path(__file__).with_name("main.py"))
            self.process = subprocess.Popen(
                # -P: the script's directory must not become the first place to import from.
                [sys.executable, "-P", script, str(theirs.fileno()), str(life_read)],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), life_read),
                # Only the launcher receives Ctrl-C from the terminal.
                start_new_session=True,
            )
        except BaseException:
            self.control.close()
            os.close(self.life)
            raise
        finally:
            theirs.close()
            os.close(life_read)
        self._send(_path())
        self._send(json.dumps(list(modules)).encode())

    def send_plan(self, plan: bytes) -> None:
        """Send the plan of the node; the process imports from where this one does now."""
        self.planned = True
        self._send(_path())
        self._send(plan)

    def _send(self, block: bytes) -> None:
        try:
            self.control.sendall(_LENGTH.pack(len(block)) + block)
        except (BrokenPipeError, ConnectionResetError):
            # It has ended, which the launcher will notice.
            return

    def __enter__(self) -> "SystemStart":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, unless its plan was sent."""
        if self.planned:
            return
        self.process.kill()
        self.process.wait()
        self.control.close()
        os.close(self.life)


def _path() -> bytes:
    return json.dumps([entry or os.getcwd() for entry in sys.path]).encode()
