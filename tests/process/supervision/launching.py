"""A launcher in its own process, for tests that kill it. Prints the pids of its node, then waits for ever."""

import json
import signal
import sys

from continuum_supervision.process.launcher import ProcessSystem
from continuum_supervision.process.spec import ProcessSpec
from tests.process.supervision import process_mains
from tests.process.supervision.observing import DEADLINE_S, pids_of


def main() -> None:
    running = ProcessSystem.start(
        [ProcessSpec("one", process_mains.echo), ProcessSpec("two", process_mains.hung)], node="launched"
    )
    running.wait_ready(DEADLINE_S)
    sys.stdout.write(json.dumps([str(running.directory), *pids_of(running)]) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
