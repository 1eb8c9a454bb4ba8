"""The processes of a node and its control actors. Read `node.py` first."""
