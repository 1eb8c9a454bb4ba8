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
    ("/operations", "Operations"),
    ("/health", "Health"),
    ("/audit", "Audit"),
)
