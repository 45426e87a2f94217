"""shuffle: the column's own values, dealt out to other rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.errors import MaskError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._rows import text_of
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import Column
from dbmask_sql.canonical import tuple_text, utf8_bytes

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Shuffle"]


@dataclass(frozen=True, kw_only=True)
class Shuffle(KeyedMask):
    """The values of the column, each once, in another order: totals and distributions stay, and unique values stay unique.

    The order is drawn from the key and the rows' primary keys, so that it does not depend on the order in which rows are
    read; without a primary key it does. Nulls and empty texts stay where they are. Rare values are still to be seen, on
    other rows.
    """

    name: ClassVar[str] = "shuffle"
    aliases: ClassVar[tuple[str, ...]] = ("secure_shuffle",)
    profiles: ClassVar[frozenset[str]] = frozenset({"clone", "file"})
    cases: ClassVar[tuple[Case, ...]] = (Case("Prague", "Prague"), Case(None, None), Case("", ""))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column."""
        target = columns.target
        row = tuple(columns.available[n] for n in columns.row_key if n in columns.available and n != target.name)
        warnings = () if row else ("the table has no primary key: the order of reading decides which value goes where",)
        promises = Promises(type=target.type, value_only=False, keyed=True, permutes=True, warnings=warnings)
        label = f"{columns.table}.{target.name}: {self.name}"
        return _ShuffleBound(target, row, promises, self.key(keys).sub("shuffle"), label)


@dataclass(frozen=True)
class _ShuffleBound:
    """``whole_column``: apply must be given all values of the column at once."""

    column: Column
    row: tuple[Column, ...]
    promises: Promises
    key: ColumnKey
    label: str
    whole_column: ClassVar[bool] = True

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.column.name, *(c.name for c in self.row))

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.column.name,)

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        return None

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        values, *others = columns
        try:
            readers = [text_of(c) for c in self.row]
            names = [tuple_text([r(v) for r, v in zip(readers, row, strict=True)]) for row in zip(*others, strict=True)]
        except (ValueError, TypeError, ArithmeticError) as error:
            raise MaskError(f"{self.label}: a row's key could not be read ({type(error).__name__})") from None
        names = names or [f"{i:020d}" for i in range(len(values))]
        moving = sorted((i for i, v in enumerate(values) if v is not None and v != ""), key=names.__getitem__)
        prf = self.key.prf
        dealt = sorted(moving, key=lambda i: prf(utf8_bytes(names[i])))
        made = list(values)
        for source, target in zip(moving, dealt, strict=True):
            made[target] = values[source]
        return [made]
