"""A node for `processes.node`: `python -m bench.node JSON`, what `continuum run-node` runs."""

from __future__ import annotations

import json
import sys

from continuum.node.config import NodeConfig
from continuum.node.launcher import run_node

if __name__ == "__main__":
    sys.exit(run_node(NodeConfig(**json.loads(sys.argv[1]))))
