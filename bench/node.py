"""A node for `processes.node`: `python -m bench.node JSON` runs what `continuum run-node` runs."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from continuum.node.config import NodeConfig
from continuum.node.launcher import run_node
from continuum.settings.settings import NODE_SETTINGS

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    settings = replace(NODE_SETTINGS, **given.pop("settings"))
    sys.exit(run_node(NodeConfig(**given, settings=settings)))
