"""Plain English: what people read uses the field's terms and sentences with a subject in front.

Docstrings and comments of product and tests, comments of the SQL, and the documents. CONTRIBUTING.md has
the rules.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.style.source import ROOT, Module, product, suite

# Turns of phrase that a reader has to read twice, and the plain word for each.
INSTEAD = {
    r"(?:is|are|was|were|be|been) told\b(?! apart)": "reports, is reported, receives",
    r"[Ww]hoever|[Ww]homever|[Ww]hosoever": "the caller, the owner, anyone who",
    r"(?:told|hears?|heard) of": "notified, reported, recorded",
    r"(?:is|are|was|were) heard": "is received, is noticed",
    r"go(?:es)? on(?! to\b)|went on|going on": "continue, resume",
    r"t(?:ake|akes|aken|ook|aking) up": "resume, claim",
    r"let(?:s|ting)? go of": "release, drop",
    r"[Ww]hat stands": "is, replaces",
    r"nobody else|nobody's|somebody's": "no other, no one",
    r"misfits?": "mismatch",
    r"hand(?:s|ed|ing)? over": "release",
}
BAD = re.compile(r"\b(?:" + "|".join(INSTEAD) + r")\b")
# A question may start like this; a statement that does has its verb at the end.
BACKWARDS = re.compile(r"^(?:Who|Whose|Whom|Of)\b(?!.*\?)", re.DOTALL)
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "examples/**/*.md", "tests/*.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)


def prose(module: Module) -> Iterator[tuple[int, str]]:
    """Yield each docstring and each comment block of a module with its line."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1 and block:
                yield last, " ".join(block)
                block = []
            block.append(token.string.lstrip("# "))
            last = token.start[0]
    if block:
        yield last, " ".join(block)


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, code between backticks removed."""
    plain = re.sub(r"`+[^`]*`+", "X", text)
    yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z])", " ".join(plain.split()))


def faults(text: str) -> list[str]:
    return [each for each in sentences(text) if BAD.search(each) or BACKWARDS.match(each)]


@pytest.mark.parametrize("module", [*product(), *suite()], ids=lambda module: module.path)
def test_docstrings_and_comments_are_plain_english(module: Module) -> None:
    if module.path == "tests/style/test_prose.py":
        return
    found = [f"{module.path}:{line}: {each}" for line, text in prose(module) for each in faults(text)]
    assert found == []


def test_names_of_tests_begin_with_their_subject() -> None:
    named = {
        node.name
        for module in suite()
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert sorted(name for name in named if re.match(r"test_(?:what|who|whose|whoever|of)_", name)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "migrations").rglob("*.sql")), ids=lambda path: path.name)
def test_comments_of_the_sql_are_plain_english(path: Path) -> None:
    comments = re.findall(r"(?:^[ \t]*-- .*\n)+", path.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [re.sub(r"^[ \t]*-- ", "", comment, flags=re.MULTILINE) for comment in comments]
    assert [each for text in texts for each in faults(text)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_are_plain_english(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    paragraphs = [re.sub(r"^[#>|*\- ]+", "", each) for each in re.split(r"\n\n|\n(?=[-|#*])", text)]
    assert [each for paragraph in paragraphs for each in faults(paragraph)] == []
