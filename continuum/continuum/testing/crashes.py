"""`crash_everywhere`: repeats a test, and kills its engine at another write each time.

The first run of the test is undisturbed and counts the moments right before and after each write of
the engine. Then the test runs once for each of these moments, and the engine dies there; a
few more runs have two deaths. A seed determines everything else that is random.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeAlias, overload

from continuum.errors import InvalidOption
from continuum.testing.environment import Environment, env
from continuum.testing.public import public

Test: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]

# If there are more moments than this, the seed chooses which are tried.
MOST_RUNS = 200
# A seed also tries this many pairs of deaths, the second soon after the first.
PAIRS = 5
SECONDS_A_RUN = 30.0
SEED_VARIABLE = "CONTINUUM_SEED"
# The plugin recognises tests with environments of their own by this attribute.
MARK = "continuum_crashes"


@public
class CrashFound(AssertionError):
    """A test failed because the engine was killed. `crashes` are the numbers of the moments, from 1."""

    def __init__(
        self, test: str, seed: int, crashes: tuple[int, ...], moments: list[str], error: BaseException
    ):
        killed = " and ".join(moments[crash - 1] for crash in crashes if crash <= len(moments))
        when = f"when the engine is killed {killed}" if killed else "without any crash"
        only = f"{seed}:{','.join(map(str, crashes))}" if crashes else str(seed)
        super().__init__(
            f"{test} fails with seed {seed} {when}: {type(error).__name__}: {error}\n"
            f"Run only this again with {SEED_VARIABLE}={only}"
        )
        self.seed = seed
        self.crashes = crashes


@overload
def crash_everywhere(test: Test, /) -> Test: ...
@overload
def crash_everywhere(
    *, seeds: int | Iterable[int] = 1, most: int = MOST_RUNS, timeout: float = SECONDS_A_RUN
) -> Callable[[Test], Test]: ...
@public
def crash_everywhere(
    test: Test | None = None,
    /,
    *,
    seeds: int | Iterable[int] = 1,
    most: int = MOST_RUNS,
    timeout: float = SECONDS_A_RUN,
) -> Any:
    """Repeat an async test, and kill the engine before and after each of its writes in turn.

    The test takes its environment as `continuum_env` or `env` and gets a new one each time; its other
    arguments stay the same. `seeds` is a number of seeds, or the seeds; each costs at most `most` runs
    of `timeout` real seconds.
    """
    chosen = range(seeds) if isinstance(seeds, int) else tuple(seeds)
    if test is None:
        return functools.partial(_everywhere, seeds=chosen, most=most, timeout=timeout)
    return _everywhere(test, seeds=chosen, most=most, timeout=timeout)


def _everywhere(test: Test, *, seeds: Iterable[int], most: int, timeout: float) -> Test:
    signature = inspect.signature(test)
    name = next((name for name in ("continuum_env", "env") if name in signature.parameters), None)
    if name is None or not inspect.iscoroutinefunction(test):
        raise InvalidOption(
            f"crash_everywhere decorates an `async def` test that takes continuum_env, not {test!r}"
        )

    @functools.wraps(test)
    async def everywhere(*args: Any, **kwargs: Any) -> None:
        async def once(environment: Environment) -> None:
            async with asyncio.timeout(timeout), environment:
                await test(*args, **kwargs, **{name: environment})

        for seed, plan in _plans(seeds):
            await _with_seed(test.__qualname__, once, seed, plan, most)

    rest = [parameter for parameter in signature.parameters.values() if parameter.name != name]
    everywhere.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    setattr(everywhere, MARK, True)
    return everywhere


def _plans(seeds: Iterable[int]) -> Iterator[tuple[int, tuple[int, ...] | None]]:
    """Yield each seed with the crashes to try, None for all; the environment variable overrides both."""
    given = os.environ.get(SEED_VARIABLE)
    if not given:
        yield from ((seed, None) for seed in seeds)
        return
    seed, _, crashes = given.partition(":")
    try:
        yield int(seed), tuple(int(crash) for crash in crashes.split(",")) if crashes else None
    except ValueError:
        raise InvalidOption(
            f"{SEED_VARIABLE} is a seed, or seed:moment as printed by a failure, not {given!r}"
        ) from None


async def _with_seed(
    test: str,
    once: Callable[[Environment], Awaitable[None]],
    seed: int,
    only: tuple[int, ...] | None,
    most: int,
) -> None:
    template = env(seed=seed)

    async def attempt(*crashes: int) -> int:
        environment = template.like_this(seed=seed, crashes=crashes)
        try:
            await once(environment)
        except Exception as error:
            raise CrashFound(test, seed, crashes, environment.moments, error) from error
        return len(environment.moments)

    if only is not None:
        await attempt(*only)
        return
    moments = await attempt()
    chance = random.Random(seed)
    for crash in sorted(chance.sample(range(1, moments + 1), min(moments, most))):
        await attempt(crash)
    for _ in range(min(PAIRS, moments)):
        first = chance.randint(1, moments)
        await attempt(first, first + chance.randint(1, 4))
