"""The Thespian release that the sealed transport was made for, and how the installed one differs.

The transport replaces internals that another release may change. Such a change must end in an error message,
not in an unsealed port. The digests are of the files whose internals are replaced or used.
"""

import hashlib
import importlib.util
from pathlib import Path

EXPECTED_VERSION = "4.0.1"

EXPECTED_FILES = {
    "thespian.system.transport.TCPTransport": "303b9a9b3871ca949f70c5f57654fc81",
    "thespian.system.transport.IPBase": "ff75cc8eb35019a3783b9ee3d8e8720c",
    "thespian.system.transport.asyncTransportBase": "67ed9591a1703beae2178b7803404685",
    "thespian.system.multiprocCommon": "fe2c4c348eac187d6cc7dabe0eff23dc",
    "thespian.system.multiprocTCPBase": "b8820f1d0da547cd74987cf9d9c3ea51",
    "thespian.system.actorManager": "ef63efe7ab4f9b5efa085671aa51696d",
    "thespian.system.utilis": "69b676a1b7c148f40f9365a600868b3d",
}


def differing_internals() -> list[str]:
    """Return the modules of Thespian whose content is not as expected."""
    return [name for name, digest in EXPECTED_FILES.items() if _digest_of(name) != digest]


def _digest_of(module: str) -> str:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return "absent"
    # A checkout with other line endings is the same code.
    content = Path(found.origin).read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()[:32]
