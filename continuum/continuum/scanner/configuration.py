"""Which modules the scanner trusts, and how strict it is with the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from continuum.errors import InvalidOption
from continuum.scanner import rules
from continuum.scanner.findings import Finding, errors_of

# How a helper of a module that is not trusted is reported.
Untrusted = Literal["warn", "error"]


@dataclass(frozen=True, slots=True)
class Trust:
    """The modules whose functions workflows may call; a package includes its submodules."""

    trusted: tuple[str, ...] = ()
    untrusted: Untrusted = "warn"

    def __post_init__(self) -> None:
        if isinstance(self.trusted, str) or not all(isinstance(name, str) for name in self.trusted):
            raise InvalidOption(f"trusted takes a list of module names, not {self.trusted!r}")
        if self.untrusted not in ("warn", "error"):
            raise InvalidOption(f"untrusted is 'warn' or 'error', not {self.untrusted!r}")

    def covers(self, dotted: str) -> bool:
        """Tell whether a name is in a trusted module."""
        return any(dotted == name or dotted.startswith(f"{name}.") for name in self.trusted)


_configured = Trust()


def configure_scanner(*, trusted: Sequence[str] = (), untrusted: Untrusted = "warn") -> None:
    """Set the modules that workflows may call into, for all workflows that this process defines later.

    A helper of any other module must be `@continuum.pure`; otherwise its first use in a workflow is a
    `DeterminismWarning`, or a `DeterminismError` with `untrusted="error"`. Names that are denied (clocks,
    files, sockets ...) stay denied in workflows, whatever is trusted.
    """
    global _configured
    _configured = Trust(trusted if isinstance(trusted, str) else tuple(trusted), untrusted)  # type: ignore[arg-type]


def configured_trust() -> Trust:
    """Return the trust that this process has configured."""
    return _configured


# What a person adds to workflow code to watch it. Neither changes what the code decides.
_OF_DEBUGGING = frozenset((rules.OUTPUT.code, rules.INPUT.code))
_debugging = False


@contextmanager
def debugging() -> Iterator[None]:
    """Refuse neither `breakpoint()` nor `print()` in workflow code that is defined meanwhile."""
    global _debugging
    before, _debugging = _debugging, True
    try:
        yield
    finally:
        _debugging = before


def refused(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that refuse a definition in this process now."""
    return [each for each in errors_of(findings) if not (_debugging and each.code in _OF_DEBUGGING)]
