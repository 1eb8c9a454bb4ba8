"""The changes that forms of the observer make: one file for each noun, and the table of all of them."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.observer.actions.health import HEALTH_ACTIONS
from continuum.observer.actions.nodes import NODE_ACTIONS
from continuum.observer.actions.operations import OPERATION_ACTIONS
from continuum.observer.actions.pauses import PAUSE_ACTIONS
from continuum.observer.actions.runs import RUN_ACTIONS
from continuum.observer.actions.versions import VERSION_ACTIONS
from continuum.observer.actions.views import VIEW_ACTIONS
from continuum.observer.actions.web_action import Form, Made, WebAction

__all__ = ["ACTIONS", "Form", "Made", "WebAction"]

ACTIONS: Mapping[str, WebAction] = {
    **RUN_ACTIONS,
    **HEALTH_ACTIONS,
    **PAUSE_ACTIONS,
    **NODE_ACTIONS,
    **VERSION_ACTIONS,
    **OPERATION_ACTIONS,
    **VIEW_ACTIONS,
}
