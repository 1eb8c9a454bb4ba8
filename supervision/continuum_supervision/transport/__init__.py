"""The sealed transport: Thespian's TCP transport with every frame encrypted, authenticated and accepted once.

`cookie.py` finds the secret of the cluster, `seal.py` turns it into encrypted frames, `frame_buffer.py` reads
one frame from a stream, and `transport.py` puts all of it in the place of Thespian's own transport. Only
`transport.py` touches Thespian. This package knows nothing of processes, supervisors or peers: `process` uses
it, never the other way round. Read `transport.py` first, then `seal.py`.
"""
