"""The journal in memory, for tests and embedding. Read `journal.py` first."""
