"""What a person who operates Continuum asks and does: why a run is stuck, what is wrong, who changed what.

Functions here take a journal, or the facts of one, and return frozen records; the client, the command line
and the web render the same ones. None needs workflow code to be loaded unless its docstring says so.
`actor.py` says who makes a change, `audit.py` reads what is on record.
`explain.py` says why a run is where it is.
"""
