"""The system process once it can import: check the plan, start the node, wait for its end, clean up."""

import contextlib
import gc
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path

from thespian.actors import ActorSystem, ActorSystemException

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.addresses import free_port, refuse_unusable_address
from continuum_supervision.process.control_socket import ControlWriter
from continuum_supervision.process.directory import make_node_directory
from continuum_supervision.process.inherited import Inherited, set_inherited
from continuum_supervision.process.limits import PARENT_POLL_S
from continuum_supervision.process.liveness import SUPERVISOR_SLOT, LivenessBoard
from continuum_supervision.process.log import LogOutput, log_to_stderr
from continuum_supervision.process.plan import NodePlan
from continuum_supervision.process.root_supervisor import BEGIN, ProcessSupervisor
from continuum_supervision.process.signals import restore_signals
from continuum_supervision.process.thespian_admin import install_admin
from continuum_supervision.process.thespian_log import route_thespian_log
from continuum_supervision.process.wire import NodeNotStarted
from continuum_supervision.transport.transport import LOOPBACK, close_starter_transport, install
from continuum_supervision.transport.trusted_pickle import unpickled

# Its name in the log, before it has forked the root supervisor and after.
SUPERVISOR = "node_supervisor"


def run_system_process(plan: bytes, control: socket.socket, life: int) -> None:
    """Run a node until it ends or its launcher does; does not return."""
    restore_signals(keep_child_signal=False)
    log_to_stderr(LogOutput(), SUPERVISOR)
    launcher_pid = os.getppid()
    directory = make_node_directory()
    exit_code = 1
    try:
        try:
            _start(_read(plan), control, life, directory)
        except (ProcessSystemError, ActorSystemException, ImportError) as error:
            ControlWriter(control).send(NodeNotStarted(str(error)))
        else:
            # From here on only the supervisor holds the socket: the launcher must see an end of file when it
            # ends.
            control.close()
            exit_code = _wait_for_an_end(life, launcher_pid)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _read(plan: bytes) -> NodePlan:
    read = unpickled(plan)
    assert isinstance(read, NodePlan)
    return read


def _start(plan: NodePlan, control: socket.socket, life: int, directory: Path) -> None:
    # For the supervisor, which is forked from here. The processes below it set up their own logging.
    log_to_stderr(plan.log, SUPERVISOR)
    if plan.bind is not None:
        refuse_unusable_address(*plan.bind)
    route_thespian_log()
    install(plan.cookie, exposed=plan.bind)
    install_admin()
    board = LivenessBoard.create(directory / "liveness", [SUPERVISOR_SLOT, *(spec.id for spec in plan.specs)])
    # What all processes share is no garbage: none looks through it, and so copies its pages.
    gc.collect()
    gc.freeze()
    set_inherited(Inherited(plan, control, life, directory, board, os.getpid()))
    system = ActorSystem("multiprocTCPBase", {"Admin Port": free_port(LOOPBACK)})
    system.tell(system.createActor(ProcessSupervisor), BEGIN)
    close_starter_transport()


def _wait_for_an_end(life: int, launcher_pid: int) -> int:
    """Wait until the admin ends, as it does with the supervisor, or the launcher; return the exit code."""
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    while True:
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1
        # A fork of the launcher may hold the pipe open, so check the parent as well.
        if os.getppid() != launcher_pid:
            return 1
        readable, _, _ = select.select([life, woken.fileno()], [], [], PARENT_POLL_S)
        if life in readable and not os.read(life, 1):
            return 1
        if woken.fileno() in readable:
            woken.recv(4096)
