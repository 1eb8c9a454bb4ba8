"""The FastAPI example as it is deployed: uvicorn in its own process, and an HTTP client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.process.in_process.hosts import DEADLINE_S, until

EXAMPLES = Path(__file__).parents[3] / "examples"


class WebShop:
    """A web server with the example application, and its client."""

    def __init__(self, dsn: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "uvicorn", "fastapi_app.main:app", "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, "--log-level", "warning"],
            env={
                **os.environ,
                "CONTINUUM_DSN": dsn,
                "PYTHONPATH": os.pathsep.join([str(EXAMPLES), *sys.path]),
            },
        )

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make one request."""
        async with httpx.AsyncClient(base_url=self.url, timeout=DEADLINE_S, trust_env=False) as client:
            return await client.request(method, path, **options)

    async def answer(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Make one request, which must succeed, and return its JSON."""
        response = await self.call(method, path, **options)
        assert response.is_success, response.text
        body: dict[str, Any] = response.json()
        return body

    async def until_serving(self) -> None:
        """Return once the server answers."""

        async def serves() -> bool:
            assert self.process.poll() is None, "the server ended"
            try:
                await self.call("GET", "/openapi.json")
            except httpx.TransportError:
                return False
            return True

        await until(serves, "the server does not answer")

    async def until_state(self, order: str, state: str) -> dict[str, Any]:
        """Return the JSON of an order once the order is in this state."""
        shown: dict[str, Any] = {}

        async def is_there() -> bool:
            shown.update(await self.answer("GET", f"/orders/{order}"))
            return bool(shown["state"] == state)

        await until(is_there, f"order {order} is not {state}: {shown}")
        return shown

    def kill(self) -> None:
        """Kill the server."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    async def terminate(self) -> int:
        """Stop the server as an operator does, and return its exit code."""
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, DEADLINE_S)


@contextmanager
def web_shop(dsn: str, port: int) -> Iterator[WebShop]:
    """Start the example; kill it at the end."""
    shop = WebShop(dsn, port)
    try:
        yield shop
    finally:
        shop.kill()
