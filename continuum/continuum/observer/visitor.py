"""`Visitor`: who looks at the observer, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from continuum.errors import InvalidOption
from continuum.quoting import quoted


class Role(IntEnum):
    """What a visitor may do; each may do what the ones before it may.

    A viewer sees no payloads. An operator sees them, and changes single runs, workflows and queues. An
    admin also changes many runs at once, deletes, repairs, and stops nodes.
    """

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person or a program; `name` is the actor on record of what they change."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Return whether they may do what this role may."""
        return self.role >= role


def role_named(name: str) -> Role:
    """Return the role with this name; `InvalidOption` if there is none."""
    try:
        return Role[name.upper()]
    except KeyError:
        names = ", ".join(role.name.lower() for role in Role)
        raise InvalidOption(f"a role is one of {names}, not {quoted(name)}") from None
