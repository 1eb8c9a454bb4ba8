"""Gives the public names of the kit the module that users import them from, in tracebacks and messages."""

from __future__ import annotations

from continuum.public_names import KIT, public_in

public = public_in(KIT)
