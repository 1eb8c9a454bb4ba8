"""Chaos: three real nodes under mixed work while something breaks five times a second.

`python -m tests.chaos --minutes 60 --seed 7` plays for an hour; the suite plays two minutes. Everything
runs in network, mount and process namespaces of its own (`stage.py`), so nothing outlives it and its
partitions touch nobody; without the rights for that, faults that need them are left out and named.

Read `play.py` first. `programs.py` and the two releases are what the nodes run, `load.py` starts it and
knows which results are right, `faults.py` breaks things: processes (`fleet.py`), Postgres (`server.py`,
`database_faults.py`) and the network (`network.py`). `ledger.py` counts the effects outside of the
database, and `audit.py` compares everything when the dust has settled.
"""
