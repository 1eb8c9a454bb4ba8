"""The storage of runs and histories. Read `port.py` first: the interface and its promises."""
