"""How a DuckDB session holds keys: as a table over Python's own memory, in no SQL text, on no disk and in no plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from dbmask_sql.keyref import resolve_keys

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["KEYS", "key_columns", "rendered"]

KEYS = "dbmask_keys"
"""The name that :func:`key_columns` are registered by."""


def key_columns(pads: Mapping[str, tuple[bytes, bytes]]) -> dict[str, npt.NDArray[np.object_]]:
    """The columns of the table, for ``register``: a row a key, its name and its inner and outer pad."""
    import numpy as np

    columns: tuple[list[Any], ...] = (
        list(pads),
        [bytes(inner) for inner, _ in pads.values()],
        [bytes(outer) for _, outer in pads.values()],
    )
    held = {}
    for label, values in zip(("name", "inner_pad", "outer_pad"), columns, strict=True):
        held[label] = np.empty(len(pads), dtype=object)
        held[label][:] = values
    return held


def rendered(query: exp.Expression) -> str:
    """A query in DuckDB's words, its keys read from the session's memory, once per statement."""
    return resolve_keys(query, _pad).sql(dialect="duckdb")


def _pad(name: str, part: str) -> exp.Expression:
    keys = exp.table_(KEYS, db="main", catalog="temp")
    return exp.select(f"{part}_pad").from_(keys).where(exp.column("name").eq(exp.Literal.string(name))).subquery()
