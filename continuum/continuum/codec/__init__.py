"""Values to bytes and back, checked against types. Read `codec.py` first."""
