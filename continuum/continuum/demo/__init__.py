"""`continuum demo`: 200 orders, two processes killed in the middle, and an audit of every order.

Read `session.py` first: it runs the demo from start to end. `orders.py` is the workflow, as a user
would write it; `ledger.py` is the world on which it acts; `driving.py` starts, signals and kills;
`audit.py` decides, without the engine's help, whether every order ended as it should; `display.py`
shows the progress; `interrupts.py` ends the demo early.
"""

from __future__ import annotations

from continuum.demo.session import main

__all__ = ["main"]
