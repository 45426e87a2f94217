"""concat: what several masks make of the same value, joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._parts import bind_part, inputs_of, narrow, of_part, sql_of_part
from dbmask.masks._reports import Reporting
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.masks.build import InnerMask
from dbmask.schema import ColumnType, Kind

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Concat"]

_FIRST = {"mask": "substring", "end_index": 1}
_FIXED = {"mask": "fixed", "value": "x"}


@dataclass(frozen=True, kw_only=True)
class Concat(Mask):
    """Each mask gets the original value; what they give is joined by ``glue``.

    Parts that are NULL are left out; NULL comes out where all are. A result that is too long for the column is cut to it.
    """

    name: ClassVar[str] = "concat"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "A.x", {"masks": [_FIRST, _FIXED], "glue": "."}),
        Case("Alice", "Ax", {"masks": [_FIRST, _FIXED]}),
        Case("Alice", "A-*****", {"masks": [_FIRST, "null", "redact"], "glue": "-"}),
        Case(None, None, {"masks": [_FIRST, _FIXED], "glue": "."}),
        Case("", ".", {"masks": [_FIRST, _FIXED], "glue": "."}),
        Case(
            "Ali",
            "A.x",
            {"masks": [_FIRST, _FIXED, _FIXED], "glue": "."},
            ColumnType(Kind.TEXT, "varchar(3)", length=3),
        ),
    )

    masks: Annotated[tuple[InnerMask, ...], Field(min_length=1)]
    glue: str = ""

    def __post_init__(self) -> None:
        narrow(self, self.masks)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns on which each mask fits. Raises BindError."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"concat makes text, and the column is {type_}", "use a single mask that fits the column")
        free = columns.retyped(replace(type_, length=None) if not type_.padded else type_)
        parts = tuple(bind_part(mask, free, keys, self.name) for mask in self.masks)
        lengths = [type_.length if p.promises.type == free.target.type else p.promises.type.length for p in parts]
        total = None
        if None not in lengths:
            total = sum(n for n in lengths if n is not None) + len(self.glue) * (len(parts) - 1)
        limit = type_.length
        cut = limit if limit is not None and (total is None or total > limit) else None
        promises = Promises(
            type=replace(type_, length=cut or total),
            value_only=all(p.promises.value_only for p in parts),
            total=all(p.promises.total for p in parts),
            keyed=any(p.promises.keyed for p in parts),
            warnings=tuple(dict.fromkeys(w for p in parts for w in p.promises.warnings)),
        )
        return _Joined(columns.target.name, parts, self.glue, promises, cut)


@dataclass(frozen=True)
class _Joined(Reporting):
    """Bound masks side by side on one column."""

    target: str
    parts: tuple[Bound, ...]
    glue: str
    promises: Promises
    cut: int | None

    def within(self) -> Sequence[Bound]:
        return self.parts

    @property
    def inputs(self) -> tuple[str, ...]:
        return inputs_of(self.target, self.parts)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        named = dict(zip(self.inputs, columns, strict=True))
        rows = zip(*(of_part(part, named) for part in self.parts), strict=True)
        return [[self._row(row) for row in rows]]

    def _row(self, row: tuple[Any, ...]) -> str | None:
        there = [str(v) for v in row if v is not None]
        return self.glue.join(there)[: self.cut] if there else None

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        from sqlglot import exp

        from dbmask_sql.dialects.base import call, text

        named = dict(zip(self.inputs, exprs, strict=True))
        made = [sql_of_part(part, named, dialect) for part in self.parts]
        values = [m for m in made if m is not None]
        if len(values) < len(made):
            return None
        # Parts that need no key are looked at first: they are computed twice.
        order = sorted(range(len(values)), key=lambda i: self.parts[i].promises.keyed)
        nulls: list[exp.Expression] = [exp.Is(this=values[i].copy(), expression=exp.Null()) for i in order]
        glued = [call("COALESCE", dialect.concat(text(self.glue), v) if self.glue else v, text("")) for v in values]
        joined = dialect.substr(dialect.concat(*glued), len(self.glue) + 1, self.cut)
        all_null = reduce(lambda a, b: exp.And(this=a, expression=b), nulls)
        return [exp.Case(ifs=[exp.If(this=all_null, true=exp.Null())], default=joined)]
