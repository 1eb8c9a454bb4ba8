"""Where histories live. Read `port.py` first: the interface and its promises."""
