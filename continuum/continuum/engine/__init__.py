"""The replay core: pure, no I/O, no clock. Read `execution.py` first."""
