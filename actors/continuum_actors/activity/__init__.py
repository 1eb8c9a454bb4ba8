"""The actors that run activities. Read `local_activities.py` first, then `activity_dispatcher.py`."""
