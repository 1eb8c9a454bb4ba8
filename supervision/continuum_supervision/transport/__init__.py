"""The sealed transport between processes. Read `transport.py` first, then `seal.py`."""
