"""The actors that run workflows in a run host. Read `run.py` first."""
