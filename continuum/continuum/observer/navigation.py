"""The pages that each page links to, in order."""

from __future__ import annotations

NAVIGATION = (
    ("/", "Overview"),
    ("/runs", "Runs"),
    ("/failures", "Failures"),
    ("/workflows", "Workflows"),
    ("/versions", "Versions"),
    ("/queues", "Queues"),
    ("/nodes", "Nodes"),
    ("/health", "Health"),
    ("/audit", "Audit"),
)
