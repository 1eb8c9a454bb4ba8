"""Asks nodes over HTTP, as a probe or a scraper does."""

from __future__ import annotations

import socket

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

DEADLINE_S = 60.0


class Scraper:
    """Asks one server."""

    def __init__(self, where: str) -> None:
        self.client = httpx.Client(base_url=f"http://{where}", timeout=DEADLINE_S)

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of an answer."""
        answer = self.client.get(path)
        return answer.status_code, answer.text

    async def answers(self, path: str, status: int) -> bool:
        """Return whether a path answers with this status."""
        return self.get(path)[0] == status

    def samples(self) -> dict[str, float]:
        """Return the samples of a scrape, named as in queries."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return {_written(sample): sample.value for family in families for sample in family.samples}


def _written(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def free_port() -> int:
    """Return a port that nothing listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
