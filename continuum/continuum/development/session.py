"""One call of `continuum dev`: the first start, then a save, a check and a restart at a time.

Checks and the watcher of saves have threads of their own, which put what has happened into one queue; the
main thread takes it from there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing

from continuum.development.check_records import CheckedModules, CheckedOpenRuns
from continuum.development.checker import CheckEnded
from continuum.development.checks import Checked, RunsChecked, Saved
from continuum.development.display import Display
from continuum.development.early_start import EarlyStart
from continuum.development.hosts import Hosts
from continuum.development.observing import observing
from continuum.development.saves import Saves, folders_of
from continuum.errors import ClusterError, InvalidOption
from continuum.extras import install_command
from continuum.node.config import NodeConfig
from continuum.node.node_database import node_database
from continuum_actors.node.launcher_reports import DrainRequested
from continuum_supervision.process.events import NodeEnded, Report

# How often it looks whether the node has ended.
LOOKS_EVERY_S = 0.2


def serve(config: NodeConfig, http: tuple[str, int] | None, display: Display, start: EarlyStart) -> None:
    """Serve modules until a `KeyboardInterrupt`, or until an operator drains the node.

    `http` is where the observer listens, None for none. `InvalidOption` if the modules are not there.
    """
    with ExitStack() as exits:
        # The node ends before its database.
        database = exits.enter_context(
            closing(_Opening("database", node_database(config.dsn, config.schema)))
        )
        hosts = exits.enter_context(closing(Hosts(config, start.system())))
        session = Session(config, display, start, hosts)
        exits.callback(session.close)
        display.heading(config.modules)
        session.dsn = database.wait()
        observer = None
        if http is not None:
            opening = _Opening("observer", observing(session.dsn, config.schema, *http))
            observer = exits.enter_context(closing(opening))
        session.start(lambda: _show_observer(observer, display))
        session.serve()


class Session:
    """What is served now, and what happens on each event."""

    def __init__(
        self,
        config: NodeConfig,
        display: Display,
        start: EarlyStart,
        hosts: Hosts,
    ) -> None:
        self.dsn = ""
        self._config = config
        self._display = display
        self._checks = start.checks
        self._hosts = hosts
        self._events = start.events
        self._saves: Saves | None = None
        self._files: dict[str, int] = {}
        self._served: CheckedModules | None = None
        self._since = start.began

    def start(self, show_places: Callable[[], None]) -> None:
        """Serve the modules for the first time; without code that can be served, wait for a save."""
        checked = self._first_check()
        self._watch(checked)
        if checked.wrong_use and checked.error is not None:
            raise InvalidOption(checked.error)
        serving = checked.error is None and self._restart(checked)
        if serving:
            self._display.definitions(checked)
        show_places()
        if serving:
            self._display.ready(time.monotonic() - self._since)
            self._display.warnings(checked.warnings)
        elif checked.error is not None:
            self._display.refused(checked.error, serving=False)
        self._checks.prepare()

    def serve(self) -> None:
        """Answer events until an operator drains the node."""
        while self._node_works():
            try:
                event = self._events.get(timeout=LOOKS_EVERY_S)
            except queue.Empty:
                continue
            match event:
                case Saved(files):
                    self._since = time.monotonic()
                    self._display.saved(files)
                    self._checks.begin()
                case Checked(checker, answer) if self._checks.is_current(checker):
                    self._checked(answer)
                case RunsChecked(checker, answer) if self._checks.is_current(checker):
                    self._runs_checked(answer)
                case _:
                    pass  # what an earlier check says is not wanted any more

    def close(self) -> None:
        """Stop watching for saves."""
        if self._saves is not None:
            self._saves.close()

    def _first_check(self) -> CheckedModules:
        while True:
            event = self._events.get()
            if isinstance(event, Checked):
                return _modules(event.answer)

    def _checked(self, answer: CheckedModules | CheckEnded) -> None:
        checked = _modules(answer)
        self._watch(checked)
        if checked.error is not None:
            self._display.refused(checked.error, serving=self._served is not None)
        elif self._served is not None and checked.digest == self._served.digest:
            self._display.unchanged()
        elif self._restart(checked):
            self._display.restarted(time.monotonic() - self._since, checked)
            self._display.warnings(checked.warnings)
        self._checks.prepare()

    def _restart(self, checked: CheckedModules) -> bool:
        """Serve other code; return whether it could be started."""
        # While the node starts: it is another process that looks.
        self._checks.ask_for_open_runs(self.dsn, self._config.schema)
        try:
            self._hosts.restart(self.dsn)
        except ClusterError as error:
            self._display.refused(str(error), serving=self._served is not None)
            return False
        self._served = checked
        return True

    def _runs_checked(self, answer: CheckedOpenRuns | CheckEnded) -> None:
        if isinstance(answer, CheckedOpenRuns):
            self._display.open_runs(answer)
        else:
            self._display.note(f"open runs were not checked: {answer}")

    def _watch(self, checked: CheckedModules) -> None:
        """Watch the folders of the code; those of before stay while the code cannot be loaded."""
        known = dict(checked.files) if checked.error is None else {**self._files, **checked.files}
        if self._saves is None or folders_of(known) != self._saves.folders:
            if self._saves is not None:
                self._saves.close()
            self._saves = Saves(known, lambda files: self._events.put(Saved(files)))
        self._files = known

    def _node_works(self) -> bool:
        """Look at the node; return False if it was drained, and start one again that has hung."""
        node = self._hosts.node
        while node is not None and (event := node.system.receive(timeout=0)) is not None:
            match event:
                case Report(message=DrainRequested()):
                    self._display.note("the node was drained: `continuum nodes drain`")
                    return False
                case NodeEnded(reason, hung=True):
                    self._display.note(f"{reason}; its processes start again")
                    self._hosts.restart(self.dsn)
                    node = self._hosts.node
                case NodeEnded(reason):
                    raise ClusterError(reason or "the node ended without having been asked to")
                case _:
                    pass
        return True


class _Opening:
    """A part that is opened in a thread: it takes as long as the other processes need to start.

    The context yields where it is: the DSN of the database, or the link of the observer.
    """

    def __init__(self, name: str, context: AbstractContextManager[str]) -> None:
        self._context = context
        self._place: str | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._open, name=f"continuum {name}", daemon=True)
        self._thread.start()

    def wait(self) -> str:
        """Return where it is; raise what has kept it from being opened."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._place is not None
        return self._place

    def close(self) -> None:
        """Close it; return when it is over."""
        self._thread.join()
        if self._place is not None:
            self._context.__exit__(None, None, None)

    def _open(self) -> None:
        try:
            self._place = self._context.__enter__()
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self._error = error


def _modules(answer: CheckedModules | CheckEnded) -> CheckedModules:
    if isinstance(answer, CheckedModules):
        return answer
    return CheckedModules("", [], [], [], {}, f"{answer}: the code may end it, or it was killed")


def _show_observer(observer: _Opening | None, display: Display) -> None:
    """Show the link of the observer, or why there is none: the node works without it."""
    if observer is None:
        return
    try:
        where = observer.wait()
    except ModuleNotFoundError:
        where = f"not installed: {install_command('observer')}"
    except Exception as error:  # noqa: BLE001 - whatever it is, its user sees it
        where = f"not served: {error}"
    display.place("observer", where)
