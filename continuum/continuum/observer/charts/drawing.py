"""`Drawing`: SVG made element by element, so that every text in it is escaped."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup


class Drawing:
    """An image of this size, in units of its own; it grows and shrinks with the page."""

    def __init__(self, width: float, height: float, *, title: str, description: str, kind: str) -> None:
        self._root = Element(
            "svg",
            {"class": f"chart {kind}", "viewBox": f"0 0 {number(width)} {number(height)}", "role": "img"},
        )
        # What a reader of the screen says of an image.
        self._root.set("aria-label", f"{title}. {description}")
        SubElement(self._root, "title").text = title
        SubElement(self._root, "desc").text = description

    def add(self, name: str, kind: str, text: str | None = None, **attributes: float | str) -> None:
        """Add an element of a class; underscores in the names of attributes are hyphens."""
        element = SubElement(self._root, name, {"class": kind} if kind else {})
        for key, value in attributes.items():
            element.set(key.replace("_", "-"), value if isinstance(value, str) else number(value))
        if text is not None:
            element.text = text

    def tip(self, text: str) -> None:
        """Say more about the last element when the pointer is on it."""
        SubElement(self._root[-1], "title").text = text

    def svg(self) -> Markup:
        """Return the image as text that is safe in a page."""
        return Markup(tostring(self._root, encoding="unicode"))  # made of escaped texts


def number(value: float) -> str:
    """Return a length as short as it may be."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
