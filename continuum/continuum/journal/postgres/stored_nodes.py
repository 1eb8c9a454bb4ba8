"""What a node reports about itself, as JSON for its row."""

from __future__ import annotations

import json

from continuum.journal.port import NodeFacts
from continuum.journal.silence import silences_as_json


def stored_processes(facts: NodeFacts) -> str:
    """Return a node's processes as JSON: role, pid, waiting attempts; the first also has its connections."""
    listed = [(role, pid, facts.waiting.get(pid, 0)) for role, pid in facts.processes]
    return json.dumps([(*process, facts.connections) for process in listed[:1]] + listed[1:])


def stored_about(facts: NodeFacts) -> str:
    """Return what a node reports about itself as JSON, with the pid that it is true for."""
    silent = {"silent": silences_as_json(facts.silent)} if facts.silent else {}
    return json.dumps({**(facts.code.as_json() if facts.code else {}), **silent, "pid": facts.pid})
