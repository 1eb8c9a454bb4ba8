"""Thespian's admin process, changed: no daemon, no logger process, and it ends with the node.

The stock admin calls setsid, forks away from its starter and lives until it is shut down: if its starter is
killed, the admin and every actor are left behind.
"""

# Thespian has no types; what pyright guesses from its source is wrong for what a subclass may do.
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false

import os
import signal
from typing import Any

import thespian.system.multiprocCommon as stock  # noqa: N813
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.transport import TransmitIntent

from continuum_supervision.process.inherited import forking_parent, inherited, restore_logging
from continuum_supervision.process.parent_death import die_with_parent
from continuum_supervision.process.signals import restore_signals
from continuum_supervision.transport.transport import close_starter_transport


def install_admin() -> None:
    """Make Thespian start our admin in this process."""
    stock.startAdmin = _run_admin
    # A child process logs like its parent; see `thespian_log.py`.
    stock.ThespianLogForwarder = lambda *_args, **_kwargs: stock.logging.root
    stock.setProcName = lambda *_args: None


class _NodeAdmin(stock.MultiProcAdmin):  # type: ignore[misc]
    def childDied(self) -> bool:  # noqa: N802 - Thespian's name
        """End with the root supervisor, and with its exit code."""
        roots = list(getattr(self, "_child_procs", ()))
        for root in roots:
            if not root.childProc.is_alive():
                os._exit(0 if root.childProc.exitcode == 0 else 1)
        return bool(super().childDied())


def _run_admin(
    _admin_class: Any,
    starter: Any,
    endpoint: Any,
    transport_class: Any,
    address: Any,
    capabilities: Any,
    log_definitions: Any,
    concurrency_context: Any,
) -> None:
    die_with_parent(forking_parent())
    close_starter_transport()
    held = inherited()
    held.admin_pid = os.getpid()
    transport = transport_class(endpoint)
    admin = _NodeAdmin(transport, address, capabilities, log_definitions, concurrency_context)
    admin.addrOfStarter = starter
    # No process logs through Thespian; any address satisfies its check that a logger exists.
    admin.asLogger = transport.myAddress
    admin.asLogProc = None
    restore_signals(keep_child_signal=False)
    restore_logging()
    signal.signal(signal.SIGCHLD, admin.signalChildDied)
    transport.enableRXPauseFlowControl(False)
    transport.scheduleTransmit(None, TransmitIntent(starter, EndpointConnected(0)))
    admin._activate()
    admin.run()
    os._exit(1)
