"""Whether a name of another module may be used: denied, free, trusted, vouched for, or not."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from continuum.scanner import rules
from continuum.scanner.configuration import Trust
from continuum.scanner.denied_names import denial_of
from continuum.scanner.other_modules import UNKNOWN, behind, is_users_own
from continuum.scanner.resolution import canonical
from continuum.scanner.rules import Rule
from continuum.scanner.standard_library import is_free

# A re-export of a re-export of a re-export.
DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Judgement:
    """Against `rule`: `name` is what it really is, `instead` what to write if not what the rule says."""

    rule: Rule
    name: str
    instead: str | None = None


def judge(dotted: str, *, known: int, called: bool, live: bool, trust: Trust) -> Judgement | None:
    """Return what is wrong with using a name, None when nothing is."""
    name, trusted, found = dotted, False, UNKNOWN
    for _ in range(DEEPEST):
        name = canonical(name)
        if not is_users_own(name.partition(".")[0].removesuffix("()"), live):
            denial = denial_of(name, known if name == dotted else 0)
            if denial is not None:
                return Judgement(denial[0], name, denial[1])
            if name.partition(".")[0] == "continuum" or is_free(name):
                return None
        trusted = trusted or trust.covers(name)
        if "()" in name or "." not in name:
            return None
        found = behind(name, live)
        if found.vouched:
            return None
        if found.name is None:
            break
        name = found.name
    suspect = called or found.function
    return Judgement(_untrusted(trust), dotted) if suspect and not trusted else None


@functools.cache
def _untrusted(trust: Trust) -> Rule:
    if trust.untrusted == "warn":
        return rules.UNTRUSTED
    return Rule(rules.UNTRUSTED.code, rules.UNTRUSTED.title, rules.UNTRUSTED.what, rules.UNTRUSTED.instead)
