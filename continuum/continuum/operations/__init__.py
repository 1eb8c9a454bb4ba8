"""What a person who operates Continuum asks and does: why a run is stuck, what is unhealthy, who changed it.

Functions here take a journal and return frozen records; the client, the command line and the web render the
same ones. None needs workflow code to be loaded unless its docstring says so.
"""
