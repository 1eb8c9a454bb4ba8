"""The observer: a web page that shows runs, nodes and health, and changes them for those who may.

Every page works without JavaScript, has its filters in its address, and is JSON under `/api/v1`. Read
`app.py` first: it puts the parts together. A page is one file in `pages/` that reads records of `operations`
and `client`; `templates/` renders them; `charts/` draws. `guarding/` decides who sees and changes what. Reads
have connections of their own, on which the server refuses writes and ends what takes longer than two seconds.

It needs the extra `observer`: ``pip install 'continuum-durable[observer]'``.
"""

from __future__ import annotations

from continuum.observer.app import app
from continuum.observer.options import ObserverOptions
from continuum.observer.visitor import Role, Visitor

__all__ = ["ObserverOptions", "Role", "Visitor", "app"]
