"""What the actors of one process share. Read `host.py` first."""
