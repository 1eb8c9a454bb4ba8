"""The pages of the observer: one file each, and the table of all of them."""

from __future__ import annotations

from continuum.observer.page import Page
from continuum.observer.pages.audit import AUDIT
from continuum.observer.pages.bulk import BULK
from continuum.observer.pages.code import CODE
from continuum.observer.pages.failures import FAILURES
from continuum.observer.pages.health import HEALTH
from continuum.observer.pages.history import HISTORY
from continuum.observer.pages.node import NODE
from continuum.observer.pages.nodes import NODES
from continuum.observer.pages.operation import OPERATION
from continuum.observer.pages.operations import OPERATIONS
from continuum.observer.pages.overview import OVERVIEW
from continuum.observer.pages.queues import QUEUES
from continuum.observer.pages.repair import REPAIR
from continuum.observer.pages.run import RUN
from continuum.observer.pages.runs import RUNS
from continuum.observer.pages.timeline import TIMELINE
from continuum.observer.pages.versions import VERSIONS
from continuum.observer.pages.workflow import WORKFLOW
from continuum.observer.pages.workflows import WORKFLOWS

PAGES: tuple[Page, ...] = (
    OVERVIEW,
    RUNS,
    BULK,
    RUN,
    TIMELINE,
    HISTORY,
    CODE,
    FAILURES,
    WORKFLOWS,
    WORKFLOW,
    VERSIONS,
    QUEUES,
    NODES,
    NODE,
    OPERATIONS,
    OPERATION,
    HEALTH,
    REPAIR,
    AUDIT,
)
