"""Process actors: operating-system processes under one root supervisor.

The application starts a node with `ProcessSystem` (`launcher.py`) and one `ProcessSpec` for each process
(`spec.py`). The node is a system process (`main.py`, `system_process.py`), Thespian's admin
(`thespian_admin.py`), the root supervisor (`root_supervisor.py`) and one process for each spec
(`thespian_actor.py`, `thread.py`, `context.py`). What the supervisor decides is in pure modules:
`decisions.py` (restarts, shutdown) and `peers.py` (other nodes).

Messages between processes travel through `transport`, which knows nothing of this package. Read `spec.py`
first, then `root_supervisor.py`.
"""
