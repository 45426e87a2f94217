"""A Bound over one column that reads others of its row as well: noise, dates shifted by entity, names by gender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbmask.errors import DbmaskError, MaskError
from dbmask.masks._constants import constant_sql
from dbmask.masks.base import Columns, Promises, ValueMask, read_text
from dbmask.schema import Column, Kind
from dbmask_sql.canonical import canonical_text

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect
    from dbmask_sql.dialects.base import E

__all__ = ["RowBound", "text_of"]


def text_of(column: Column) -> Callable[[Any], str | None]:
    """The function from a column's value to the text that enters a PRF beside other columns; None for null."""
    type_ = column.type
    if type_.kind is Kind.BYTES:
        return lambda value: None if value is None else bytes(value).hex()
    text = canonical_text(type_.kind, type_.padded)
    return lambda value: None if value is None else text(value)


@dataclass(frozen=True)
class RowBound:
    """As ValueBound, with ``others`` read beside the target: ``python`` and ``expression`` get their values after its own.

    ``repeats`` says that equal rows give equal results and are worth masking once.
    """

    column: Column
    others: tuple[Column, ...]
    promises: Promises
    python: Callable[..., Any]
    expression: Callable[[Sequence[E], Dialect], E | None] | None = None
    on_null: Any = None
    on_empty: Any = None
    label: str = ""
    repeats: bool = True
    stays: Callable[[Any], float] | None = None

    @classmethod
    def of(
        cls,
        mask: ValueMask,
        columns: Columns,
        others: Sequence[Column],
        promises: Promises,
        python: Callable[..., Any],
        expression: Callable[[Sequence[E], Dialect], E | None] | None = None,
        repeats: bool = True,
    ) -> RowBound:
        """The Bound of ``mask`` on the target of ``columns``, with ``others`` beside it."""
        alone = mask.bound(columns, promises, python)  # checks on_null, on_empty and the length of what comes out
        return cls(
            columns.target,
            tuple(others),
            alone.promises,
            python,
            expression,
            alone.on_null,
            alone.on_empty,
            alone.label,
            repeats,
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The target, then the others."""
        return (self.column.name, *(c.name for c in self.others))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The target."""
        return (self.column.name,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Mask row by row; equal rows once, where they may be told apart safely. Raises MaskError."""
        try:
            if self.repeats and all(len(set(map(type, c)) - {type(None)}) <= 1 for c in columns):
                memo: dict[tuple[Any, ...], Any] = {}
                rows = list(zip(*columns, strict=True))
                for row in set(rows):
                    memo[row] = self._one(*row)
                return [[memo[row] for row in rows]]
            return [[self._one(*row) for row in zip(*columns, strict=True)]]
        except DbmaskError:
            raise
        except Exception as error:
            # The exception's text may quote the value; only its type is passed on.
            raise MaskError(f"{self.label}: a value could not be masked ({type(error).__name__})") from None

    @cached_property
    def _reads_text(self) -> bool:
        return self.column.type.kind in (Kind.TEXT, Kind.ENUM)

    def _one(self, value: Any, *others: Any) -> Any:
        if value is None:
            return self.on_null
        if self._reads_text:
            value = read_text(value, self.column.type)
        if value == "" and isinstance(value, str):
            return "" if self.on_empty is None else self.on_empty
        return self.python(value, *others)

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """The expression, with null and empty looked after."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import text

        given = exprs[0]
        value = dialect.plain(given.copy(), self.column.type.padded) if self._reads_text else given
        made = self.expression([value, *exprs[1:]], dialect) if self.expression is not None else None
        if made is None:
            return None
        ifs = []
        if self.on_null is not None:
            null = exp.Is(this=given.copy(), expression=exp.Null())
            ifs.append(exp.If(this=null, true=constant_sql(self.on_null, self.promises.type.kind, dialect)))
        if self.column.type.kind is Kind.TEXT:
            empty = dialect.is_empty(value.copy())
            ifs.append(exp.If(this=empty, true=text(self.on_empty or "")))
        return [exp.Case(ifs=ifs, default=made) if ifs else made]
