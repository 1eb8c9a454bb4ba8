"""The files that the observer ships: those of others are unchanged, and all of them are small."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

STATIC = files("continuum.observer") / "static"
ROW = re.compile(r"\| `([^`]+)` \| [^|]+ \| ([0-9a-f]{64}) \|")
OURS = {"observer.css", "observer.js", "icon.svg", "VENDORED.md"}
# The style is part of every page.
MOST_BYTES_OF_STYLE = 24 * 1024


def test_files_of_others_are_as_they_were_published() -> None:
    listed = dict(ROW.findall((STATIC / "VENDORED.md").read_text()))
    assert {file.name for file in STATIC.iterdir()} == OURS | listed.keys()
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name


def test_our_files_are_small_and_ask_for_nothing() -> None:
    style, script = (STATIC / "observer.css").read_text(), (STATIC / "observer.js").read_text()
    assert len(style.encode()) < MOST_BYTES_OF_STYLE
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"eval|Function\(|innerHTML|https?:", script)
