"""The actors of Continuum. Read `tree.py` first: it shows who lives under whom."""
