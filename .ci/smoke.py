"""A first use of an installed Continuum, by the Python of an environment that holds only the wheel.

    python smoke.py DIRECTORY
    python smoke.py --extras

The directory is empty. Imports every module with warnings as errors, apart from those that say which extra
they need. Then serves a workflow with `continuum run-node` on an embedded Postgres, kills the run host, and
expects the result all the same. With --extras, where every extra is installed, it only imports every module.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

PACKAGES = ("continuum", "continuum_actors", "continuum_supervision", "continuum_migrations")
# Optional: these modules are loaded by tools that bring the library along.
NEEDS_PYTEST = "continuum.testing.plugin"
# What the extras of users bring.
EXTRAS = {
    *("starlette", "uvicorn", "jinja2", "markupsafe", "sse_starlette", "itsdangerous"),
    *("prometheus_client", "opentelemetry", "watchfiles"),
}
FLOW = """
from continuum import Signal, activity, workflow

go = Signal("go", str)


@activity
def greet(name: str) -> str:
    return f"hello {name}"


@workflow(signals=[go])
async def greeting() -> str:
    return await greet(await go.wait())
"""


def import_everything(*, extras: bool) -> None:
    """Import every installed module, without `extras` those that need none; a warning is an error."""
    installed = sysconfig.get_paths()["purelib"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in PACKAGES:
            package = importlib.import_module(name)
            assert package.__file__ is not None
            assert package.__file__.startswith(installed), f"{name} comes from {package.__file__}"
            for module in pkgutil.walk_packages(package.__path__, f"{name}."):
                if module.name != NEEDS_PYTEST and not module.name.endswith("__main__"):
                    import_one(module.name, extras=extras)


def import_one(name: str, *, extras: bool) -> None:
    """Import a module; without `extras` it may lack one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if extras or (error.name or "").partition(".")[0] not in EXTRAS:
            raise


def run(*arguments: str) -> str:
    """Run `continuum` of this environment and return what it prints."""
    program = Path(sysconfig.get_path("scripts")) / "continuum"
    done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def serve_through_a_kill() -> None:
    """Start a run, kill the run hosts of its node while it waits, and await its result."""
    Path("flows.py").write_text(FLOW, encoding="utf-8")
    program = Path(sysconfig.get_path("scripts")) / "continuum"
    command = [program, "run-node", "flows", "--run-hosts", "1", "--activity-hosts", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        try:
            assert node.stdout is not None
            ready = node.stdout.readline()
            assert ready.startswith("ready node="), f"the node did not start: {ready!r}"
            started = run("start", "greeting")
            (row,) = json.loads(run("nodes", "list", "--json"))
            for process in row["processes"]:
                if process["role"] == "run_host":
                    os.kill(process["pid"], signal.SIGKILL)
            run("signal", started, "go", '"world"')
            assert run("result", started) == '"hello world"'
        finally:
            node.terminate()
    assert node.returncode == 0, f"the node ended with {node.returncode}"


def main() -> None:
    """Do all of it in the directory that the command line names."""
    if sys.argv[1] == "--extras":
        import_everything(extras=True)
        return
    os.chdir(sys.argv[1])
    assert not os.listdir(), "the directory is to be empty"
    os.environ["CONTINUUM_DATA_DIR"] = str(Path("postgres").absolute())
    os.environ.pop("CONTINUUM_DSN", None)
    import_everything(extras=False)
    serve_through_a_kill()
    sys.stdout.write(f"the wheel works on Python {sys.version.split()[0]}\n")


if __name__ == "__main__":
    main()
