"""What can go wrong before or while a node's processes run, as one-line errors.

Each carries a sentence for people that ends in what to do; nothing here knows Thespian.
"""


class ProcessSystemError(Exception):
    """The processes of this node could not be started, or cannot go on."""


class CookieUnusable(ProcessSystemError):
    """The cluster cookie is missing, too short, or readable by others."""


class AddressUnusable(ProcessSystemError):
    """An address cannot be bound, or cannot be reached from where it should be."""


class TransportUnexpected(ProcessSystemError):
    """The installed Thespian is not the one that the seal was made for."""
