"""`continuum demo`: 200 orders, two processes killed in the middle, and an audit of what became of them.

Read `session.py` first: what happens, in order. `orders.py` is the workflow, as a user would write it;
`ledger.py` is the world it acts on; `driving.py` starts, signals and kills; `audit.py` decides,
without the engine's help, whether every order ended as it should; `display.py` shows it;
`interrupts.py` ends it early.
"""

from __future__ import annotations

from continuum.demo.session import main

__all__ = ["main"]
