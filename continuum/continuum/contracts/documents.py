"""The JSON documents of contracts: that of a module, and the one that a node stores with a version."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from continuum.contracts.workflow_contract import (
    activity_contract,
    call_document,
    contract_of,
    workflow_contracts,
)
from continuum.definitions.activity import Activity
from continuum.definitions.workflow import Workflow

log = logging.getLogger("continuum.versions")

# An observer reads it for a form, and every node writes it when it starts.
STORED_BYTES = 256 * 1024


def contracts_document(
    workflows: Iterable[Workflow[..., Any]], activities: Iterable[Activity[..., Any]]
) -> dict[str, Any]:
    """Return the contracts of these workflows and activities, by name, as one JSON document."""
    return {
        "workflows": {
            name: contract.as_document() for name, contract in workflow_contracts(workflows).items()
        },
        "activities": {
            activity.name: call_document(activity_contract(activity))
            for activity in sorted(activities, key=lambda activity: activity.name)
        },
    }


def storable(workflow: Workflow[..., Any]) -> Mapping[str, Any] | None:
    """Return the document that is stored with a version; None if it cannot be made or is too large.

    A node does its work without it, so nothing that is odd in the user's types may keep it from that.
    """
    try:
        document = contract_of(workflow).as_document()
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        if "\\u0000" in text:
            raise ValueError("there is a NUL in it, which the database does not take")
        if len(text.encode()) > STORED_BYTES:
            raise ValueError(f"it takes more than {STORED_BYTES} bytes")
    except Exception as error:  # noqa: BLE001 - classes of the user's may raise anything
        log.info("no contract of %s is stored, so there are no forms for it: %s", workflow.name, error)
        return None
    return document
