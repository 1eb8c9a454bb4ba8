"""Nodes as a user starts them: `launcher.py` for `run-node`, `in_process.py` for `continuum.children`."""
