"""Records whose annotations have names of classes as text inside them; no postponed annotations here."""

from dataclasses import dataclass, field
from typing import Optional

import attrs


@dataclass
class Branch:
    """A tree that names itself inside its annotations."""

    number: int
    all: list["Branch"] = field(default_factory=list)
    named: dict[str, list["Branch"]] = field(default_factory=dict)
    pair: tuple["Branch", ...] = ()
    next: Optional["Branch"] = None


@attrs.define
class AttrsBranch:
    """The same as an attrs class."""

    number: int
    all: list["AttrsBranch"] = attrs.Factory(list)
    named: dict[str, list["AttrsBranch"]] = attrs.Factory(dict)
    pair: tuple["AttrsBranch", ...] = ()
    next: Optional["AttrsBranch"] = None
