"""Charts: pure functions from records to SVG, which everybody can read.

Each chart is one image with a title and a description that says in words what it shows; where it has figures
that matter one by one, the template has a table of them beside it. Geometry is in attributes and colours are
classes, because the policy of the page allows no inline style. No colour is the only thing that tells two
things apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from continuum.observer.charts.bars import bars
from continuum.observer.charts.quantiles import quantiles
from continuum.observer.charts.timeline import axis, lane, outline

# What templates call.
FILTERS: Mapping[str, Callable[..., Markup]] = {
    "bars": bars,
    "quantiles": quantiles,
    "axis": axis,
    "lane": lane,
    "outline": outline,
}
