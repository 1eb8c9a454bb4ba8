"""Measures the engine beside a floor. `README.md` says how; `__main__.py` is the entry point."""
