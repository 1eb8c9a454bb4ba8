"""Other engines beside this one, measured by the same code; start with `systems.py`."""
