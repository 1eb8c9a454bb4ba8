"""`Examples`: an address for each page, with something to show."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.observer.page import Page


@dataclass(frozen=True)
class Examples:
    """What the parameters of paths stand for, by the names that paths have for them."""

    run: str
    workflow: str
    node: str
    operation: str

    def of(self, page: Page) -> str:
        """Return the address of a page."""
        return page.path.replace(":path}", "}").format(
            run=self.run, workflow=self.workflow, node=self.node, operation=self.operation
        )
