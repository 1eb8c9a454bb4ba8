"""The queues that loaded code uses: a limit for another one is a mistake, as a rule."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator

from continuum.quoting import nearest, quoted
from continuum.versions.loaded_code import Code


def unused_queues(code: Code, queues: Iterable[str]) -> Iterator[str]:
    """Yield, as sentences, which of these queues no activity has, with the nearest one that some have.

    A call may name another queue: what is a string anywhere in the modules of the code is used.
    """
    used = {each.defaults.queue for each in code.activities.values() if each.defaults.queue is not None}
    sources: list[str] | None = None
    for queue in sorted(queues):
        if queue in used:
            continue
        sources = _sources(code) if sources is None else sources
        if not any(re.search(rf"(['\"]){re.escape(queue)}\1", source) for source in sources):
            yield f"nothing that is loaded uses queue {quoted(queue)}{nearest(queue, used)}"


def _sources(code: Code) -> list[str]:
    """Return the text of the modules that define this code, as far as there is any."""
    found = []
    modules = {workflow.fn.__module__ for workflow in code.all_workflows}
    modules |= {activity.fn.__module__ for activity in code.activities.values()}
    for name in modules:
        try:
            found.append(inspect.getsource(sys.modules[name]))
        except (KeyError, OSError, TypeError):
            # It was typed into an interpreter, say.
            continue
    return found
