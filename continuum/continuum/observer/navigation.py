"""The pages that each page links to, in order."""

from __future__ import annotations

NAVIGATION = (
    ("/", "Overview"),
    ("/runs", "Runs"),
    ("/health", "Health"),
    ("/audit", "Audit"),
)
