"""What the actors of one run host share. Read `host.py` first."""
