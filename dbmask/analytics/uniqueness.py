"""Which columns single people out: the smallest sets of quasi-identifiers under which a record is unique."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from dbmask.analytics.classes import Classes
from dbmask.analytics.columns import Column, pack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["singling_out"]

_CLASSES = 1_000_000
_SETS = 64


def singling_out(classes: Classes) -> list[dict[str, Any]]:
    """Sets of columns with the records that each makes unique, smaller sets first; most unique first within a size.

    ``new`` counts records that no smaller set listed before singles out. Counted on classes, not on rows. Above a
    million classes only single columns and the whole set are tried.
    """
    import numpy as np

    columns = _class_columns(classes)
    names = [name for name, _ in classes.qis]
    found = np.zeros(len(classes.sizes), dtype=bool)
    table: list[dict[str, Any]] = []
    for size in range(1, len(names) + 1):
        if 1 < size < len(names) and (len(classes.sizes) > _CLASSES or len(table) >= _SETS):
            continue
        rows: list[dict[str, Any]] = []
        here = found.copy()
        for chosen in combinations(range(len(names)), size):
            unique = _alone([columns[i] for i in chosen], classes.sizes)
            rows.append(
                {
                    "columns": [names[i] for i in chosen],
                    "unique_records": int(unique.sum()),
                    "new": int((unique & ~found).sum()),
                }
            )
            here |= unique
        found = here
        table += sorted(rows, key=lambda r: -int(r["unique_records"]))
    return table


def _alone(columns: Sequence[Column], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which classes are one record, and like no other class in these columns."""
    import numpy as np

    group, size = pack(columns)
    if size > 4 * len(group):
        _, group = np.unique(group, return_inverse=True)
    alone: NDArray[np.bool_] = np.bincount(group, weights=sizes)[group] == 1
    return alone


def _class_columns(classes: Classes) -> list[Column]:
    if classes.rows is not None:
        return [Column(c.codes[classes.rows], c.labels) for _, c in classes.qis]
    keys, made = classes.keys, []
    for _, column in reversed(classes.qis):
        width = len(column.labels) + 1
        made.append(Column(keys % width - 1, column.labels))
        keys = keys // width
    return made[::-1]
