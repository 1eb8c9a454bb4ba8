"""Process actors: operating-system processes under one root supervisor. Read `spec.py` first."""
