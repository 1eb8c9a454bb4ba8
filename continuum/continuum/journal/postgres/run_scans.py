"""Scans of runs for one page, each of which looks at a bounded number of rows.

A page in the order of an index is merged from the groups of that index: the runs of one namespace and
workflow, say. Any other page is chosen from candidates that an index finds, if they are few enough. A scan
that has looked at its number of rows says that it is unfinished; see `queries.py` for what comes then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from continuum.journal.postgres.conditions import FIELDS, Condition

# The columns by which an index may group runs, all filled in, with their types.
_TYPES = {
    "namespace": "text",
    "workflow": "text",
    "state": "smallint",
    "seldom": "smallint",
    "version": "text",
    "idempotency_key": "text",
    "parent_id": "uuid",
}
# With a condition it is runs that are looked at; without any, a page looks at its own alone.
EVERY_RUN = Condition("id", "ne", None, "true", ())
# A tenth of a second for a step through the index to each.
MOST_GROUPS = 2_000


@dataclass(frozen=True, slots=True)
class Index:
    """An index of runs: groups, each in the order of one more column and of the id; of all runs or some."""

    groups: tuple[str, ...]
    order: str
    # A column that is filled in all runs that the index has, and in no other.
    filled: str | None = None

    def condition(self, alias: str) -> str:
        """Return the condition of the index, as its definition spells it."""
        return "" if self.filled is None else f" AND {alias}.{self.filled} IS NOT NULL"


@dataclass(slots=True)
class Scan:
    """The text of a scan while it is composed, and its parameters by name."""

    schema: str
    columns: str
    order: str
    descending: bool
    limit: int
    parameters: dict[str, Any] = field(default_factory=dict)

    def grouped(
        self,
        index: Index,
        values: Mapping[str, Sequence[Any]],
        bounds: Sequence[Condition],
        others: Sequence[Condition],
        rows: int,
    ) -> str:
        """Return the scan of a page in the order of an index.

        It looks at `rows` runs, the same number in each group. What follows the place that it has reached
        in the group where it came to its end first is left out: runs of that group may belong before it.
        """
        return self._scanned(index, values, bounds, others, rows) + self._rows("EXISTS (SELECT FROM horizon)")

    def walked(
        self,
        index: Index,
        values: Mapping[str, Sequence[Any]],
        bounds: Sequence[Condition],
        others: Sequence[Condition],
        rows: int,
    ) -> str:
        """Return the same scan with the last run that it looked at before it left out anything.

        Before the columns each row has whether there were too many groups, how many runs were looked at up to
        there, and whether it is of the page: true, false for that last run, or none for a row without a run.
        """
        column, direction = FIELDS[self.order][0], "DESC" if self.descending else "ASC"
        page = "SELECT p.id, true AS meets FROM page p UNION ALL SELECT h.id, false FROM horizon h"
        return f"""{self._scanned(index, values, bounds, others or [EVERY_RUN], rows)}
            SELECT (SELECT count(*) FROM groups) > {MOST_GROUPS},
                   (SELECT count(*) FROM scanned s WHERE {self._before_horizon}), p.meets, {self.columns}
            FROM (SELECT) one LEFT JOIN ({page}) p ON true LEFT JOIN {self.schema}.runs r ON r.id = p.id
            ORDER BY {column} {direction}, r.id {direction}"""

    def _scanned(
        self,
        index: Index,
        values: Mapping[str, Sequence[Any]],
        bounds: Sequence[Condition],
        others: Sequence[Condition],
        rows: int,
    ) -> str:
        """Return the parts of a scan in the order of an index: groups, scanned, horizon and page."""
        key = f"r.{index.order}"
        direction = "DESC" if self.descending else "ASC"
        within = f"{self._within(index, 'r')} AND {self.all_of(bounds)}"
        chosen = "SELECT g.* FROM groups g"
        share = f"SELECT greatest({self.limit}, {rows} / greatest(count(*), 1)) AS rows FROM chosen"
        if not others:
            # Only groups whose first run belongs to the page have runs that do.
            chosen += f"""
                CROSS JOIN LATERAL (
                    SELECT {key} AS key, r.id FROM {self.schema}.runs r WHERE {within}
                    ORDER BY {key} {direction}, r.id {direction} LIMIT 1
                ) f ORDER BY f.key {direction}, f.id {direction} LIMIT {self.limit}"""
            share = f"SELECT {self.limit} AS rows"
        return f"""
            WITH RECURSIVE {self._groups(index, values)}, chosen AS MATERIALIZED ({chosen}),
            share AS MATERIALIZED ({share}),
            scanned AS MATERIALIZED (
                SELECT s.key, s.id, s.meets, s.place FROM chosen g CROSS JOIN LATERAL (
                    SELECT {key} AS key, r.id, ({self.all_of(others)}) AS meets,
                           row_number() OVER (ORDER BY {key} {direction}, r.id {direction}) AS place
                    FROM {self.schema}.runs r WHERE {within}
                    ORDER BY {key} {direction}, r.id {direction} LIMIT (SELECT x.rows FROM share x)
                ) s
            ), horizon AS MATERIALIZED (
                SELECT s.key, s.id FROM scanned s WHERE s.place = (SELECT x.rows FROM share x)
                ORDER BY s.key {self._reversed}, s.id {self._reversed} LIMIT 1
            ), page AS (
                SELECT s.id FROM scanned s WHERE s.meets AND {self._before_horizon}
                ORDER BY s.key {direction}, s.id {direction} LIMIT {self.limit}
            )"""

    @property
    def _before_horizon(self) -> str:
        beyond = "<" if self.descending else ">"
        return f"NOT EXISTS (SELECT FROM horizon h WHERE (s.key, s.id) {beyond} (h.key, h.id))"

    def chosen(
        self, source: str, conditions: Sequence[Condition], others: Sequence[Condition], rows: int
    ) -> str:
        """Return the scan of candidates: the runs of a source that meet conditions, if they are so few."""
        return self._chosen("WITH", f"{source} r WHERE {self.all_of(conditions)}", others, rows)

    def chosen_in_groups(
        self,
        index: Index,
        values: Mapping[str, Sequence[Any]],
        conditions: Sequence[Condition],
        others: Sequence[Condition],
        rows: int,
    ) -> str:
        """Return the scan of candidates: the runs in groups of an index that meet conditions."""
        within = f"{self._within(index, 'r')} AND {self.all_of(conditions)}"
        source = f"""groups g CROSS JOIN LATERAL (
            SELECT * FROM {self.schema}.runs r WHERE {within} LIMIT {rows + 1}) r"""
        return self._chosen(f"WITH RECURSIVE {self._groups(index, values)},", source, others, rows)

    def _chosen(self, begin: str, source: str, others: Sequence[Condition], rows: int) -> str:
        direction = "DESC" if self.descending else "ASC"
        return f"""
            {begin} {"" if "groups" in begin else "groups AS (SELECT 1 LIMIT 1),"} scanned AS MATERIALIZED (
                SELECT {FIELDS[self.order][0]} AS key, r.id, ({self.all_of(others)}) AS meets
                FROM {source} LIMIT {rows + 1}
            ), page AS (
                SELECT s.id FROM scanned s WHERE s.meets
                ORDER BY s.key {direction}, s.id {direction} LIMIT {self.limit}
            )
            {self._rows(f"(SELECT count(*) FROM scanned) > {rows}")}"""

    def _rows(self, unfinished: str) -> str:
        column, direction = FIELDS[self.order][0], "DESC" if self.descending else "ASC"
        return f"""
            SELECT {unfinished} OR (SELECT count(*) FROM groups) > {MOST_GROUPS}, p.id IS NOT NULL,
                   {self.columns}
            FROM (SELECT) one LEFT JOIN page p ON true LEFT JOIN {self.schema}.runs r ON r.id = p.id
            ORDER BY {column} {direction}, r.id {direction}"""

    @property
    def _reversed(self) -> str:
        # The horizon is the place that comes first in the order of the page.
        return "DESC" if self.descending else "ASC"

    def _groups(self, index: Index, values: Mapping[str, Sequence[Any]]) -> str:
        """Return the groups of the values that are asked for; otherwise step through the index to each."""
        parts = ["level0 AS (SELECT)"]
        for level, column in enumerate(index.groups):
            outer = index.groups[:level]
            shown = "".join(f"o.{name}, " for name in outer)
            if column in values:
                name = self.bind(list(dict.fromkeys(values[column])))
                parts.append(
                    f"level{level + 1} AS (SELECT {shown}v.{column} FROM level{level} o "
                    f"CROSS JOIN unnest({name}::{_TYPES[column]}[]) AS v ({column}))"
                )
                continue
            same = "".join(f" AND x.{name} = o.{name}" for name in outer) + index.condition("x")
            step = f"SELECT x.{column} FROM {self.schema}.runs x WHERE true{same}"
            order = f"ORDER BY {''.join(f'x.{name}, ' for name in outer)}x.{column} LIMIT 1"
            parts.append(
                f"level{level + 1} AS (SELECT {shown}n.{column} FROM level{level} o "
                f"CROSS JOIN LATERAL ({step} {order}) n "
                f"UNION ALL SELECT {shown}n.{column} FROM level{level + 1} o "
                f"CROSS JOIN LATERAL ({step} AND x.{column} > o.{column} {order}) n)"
            )
        last = f"SELECT g.* FROM level{len(index.groups)} g LIMIT {MOST_GROUPS + 1}"
        return ", ".join([*parts, f"groups AS MATERIALIZED ({last})"])

    def _within(self, index: Index, alias: str) -> str:
        same = "".join(f" AND {alias}.{name} = g.{name}" for name in index.groups)
        return f"true{same}{index.condition(alias)}"

    def all_of(self, conditions: Sequence[Condition]) -> str:
        """Return the condition that all of these hold."""
        return " AND ".join(self._bound(each.text, each.parameters) for each in conditions) or "true"

    def _bound(self, text: str, parameters: Sequence[Any]) -> str:
        first, *rest = text.split("%s")
        return first + "".join(self.bind(value) + part for value, part in zip(parameters, rest, strict=True))

    def bind(self, value: Any) -> str:
        """Return the name of a new parameter, as it stands in the text."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"
