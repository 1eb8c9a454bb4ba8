"""The processes of a node, and the actors that keep it alive. Read `node.py` first."""
