"""The actors that run activities. Read `activity_dispatcher.py` first."""
