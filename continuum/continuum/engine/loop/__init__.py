"""The deterministic asyncio loop of a run. Read `event_loop.py` first."""
