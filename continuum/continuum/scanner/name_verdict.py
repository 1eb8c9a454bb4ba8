"""Whether workflow code may use a name of another module: it is denied, free, trusted, safe, or unknown."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from continuum.scanner import rules
from continuum.scanner.configuration import Trust
from continuum.scanner.denied_names import denial_of
from continuum.scanner.other_modules import UNKNOWN, is_user_module, referent_of
from continuum.scanner.resolution import canonical
from continuum.scanner.rules import Rule
from continuum.scanner.standard_library import is_free

# How many re-exports are followed.
DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """A use that breaks `rule`: `name` is the name without aliases, `instead` a more precise hint, if any."""

    rule: Rule
    name: str
    instead: str | None = None


def verdict_on(dotted: str, *, known: int, called: bool, live: bool, trust: Trust) -> Verdict | None:
    """Return the rule that using a name breaks, or None."""
    name, trusted, found = dotted, False, UNKNOWN
    for _ in range(DEEPEST):
        name = canonical(name)
        if not is_user_module(name.partition(".")[0].removesuffix("()"), live):
            denial = denial_of(name, known if name == dotted else 0)
            if denial is not None:
                return Verdict(denial[0], name, denial[1])
            if name.partition(".")[0] == "continuum" or is_free(name):
                return None
        trusted = trusted or trust.covers(name)
        if "()" in name or "." not in name:
            return None
        found = referent_of(name, live)
        if found.safe:
            return None
        if found.name is None:
            break
        name = found.name
    suspect = called or found.function
    return Verdict(_untrusted(trust), dotted) if suspect and not trusted else None


@functools.cache
def _untrusted(trust: Trust) -> Rule:
    if trust.untrusted == "warn":
        return rules.UNTRUSTED
    return Rule(rules.UNTRUSTED.code, rules.UNTRUSTED.title, rules.UNTRUSTED.what, rules.UNTRUSTED.instead)
