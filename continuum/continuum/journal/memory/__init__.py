"""The journal in memory, for tests and for nodes without durability. Read `journal.py` first."""
