"""The errors of a node's processes. Knows no Thespian.

Each message is one line for people that ends with what to do.
"""


class ProcessSystemError(Exception):
    """The processes of this node could not be started, or cannot continue."""


class CookieUnusable(ProcessSystemError):
    """The cluster cookie is missing, too short, or readable by others."""


class AddressUnusable(ProcessSystemError):
    """An address cannot be bound, or other nodes could not reach it."""


class TransportUnexpected(ProcessSystemError):
    """The installed Thespian is not the one that the sealed transport was made for."""
