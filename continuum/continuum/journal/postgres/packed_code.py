"""What a claim may take, as parameters: the loaded code and the namespaces."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.journal.port import Loaded
from continuum.journal.postgres import packed_arrays


def packed_code(code: Sequence[Loaded]) -> tuple[packed_arrays.PackedArray, ...]:
    """Return workflows, versions, and whether each is current and takes runs of others."""
    return (
        packed_arrays.texts([loaded.workflow for loaded in code]),
        packed_arrays.texts([loaded.version for loaded in code]),
        packed_arrays.booleans([loaded.current for loaded in code]),
        packed_arrays.booleans([loaded.takes_others for loaded in code]),
    )


def optional_texts(values: Sequence[str] | None) -> packed_arrays.PackedArray | None:
    """Return an array, or NULL for None."""
    return None if values is None else packed_arrays.texts(values)
