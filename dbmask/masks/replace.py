"""replace: a piece of the text by another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._parts import bind_chain, narrow
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask
from dbmask.masks.build import InnerMask
from dbmask.schema import ColumnType, Kind

__all__ = ["Replace"]

_STARS: dict[str, Any] = {"masks": ["redact"], "start_index": 4, "end_index": 8}


@dataclass(frozen=True, kw_only=True)
class Replace(ValueMask):
    """Either every ``old`` by ``new``, or the characters from ``start_index`` up to ``end_index`` by what ``masks`` make of them.

    A result that is too long for the column is cut to it.
    """

    name: ClassVar[str] = "replace"
    aliases: ClassVar[tuple[str, ...]] = ("replace_substring",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("555-01-01", "555 01 01", {"old": "-", "new": " "}),
        Case("Aa aa", "Aa", {"old": " aa"}),
        Case("aaa", "ba", {"old": "aa", "new": "b"}),
        Case("a.b", "ab", {"old": "."}),
        Case("4532123456789014", "4532****56789014", _STARS),
        Case("4532", "4532", _STARS),
        Case(None, None, {"old": "-"}),
        Case("", "", _STARS),
        Case("a-b", "axy", {"old": "-", "new": "xyz"}, ColumnType(Kind.TEXT, "varchar(3)", length=3)),
    )

    old: Annotated[str, Field(min_length=1)] | None = None
    new: str = ""
    start_index: Annotated[int, Field(ge=0)] = 0
    end_index: Annotated[int, Field(ge=1)] | None = None
    masks: tuple[InnerMask, ...] = ()

    def __post_init__(self) -> None:
        if (self.old is None) == (not self.masks):
            raise ValueError("give either `old` (and `new`), or `masks` with `start_index` and `end_index`")
        if self.end_index is not None and self.end_index <= self.start_index:
            raise ValueError("end_index must be greater than start_index")
        if self.old is not None and (self.start_index or self.end_index is not None):
            raise ValueError("start_index and end_index belong to `masks`")
        narrow(self, self.masks)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"replace makes text, and the column is {type_}", "use fixed or null")
        if self.old is not None:
            return self._literal(columns, self.old)
        free = columns.retyped(replace(type_, length=None, padded=False))
        inner = bind_chain(self.masks, free, keys, self.name)
        if inner.inputs != (columns.target.name,):
            raise BindError("the masks inside replace read other columns", "use concat")
        return self._positional(columns, inner)

    def _literal(self, columns: Columns, old: str) -> Bound:
        type_ = columns.target.type
        limit = type_.length if len(self.new) > len(old) else None

        def sql(value: Any, dialect: Any) -> Any:
            from dbmask_sql.dialects.base import text

            made = dialect.replace(value, text(old), text(self.new))
            return made if limit is None else dialect.substr(made, 1, limit)

        def python(value: Any) -> str:
            return str(value).replace(old, self.new)[:limit]

        return self.bound(columns, Promises(type=type_), python, sql, keeps_empty=True)

    def _positional(self, columns: Columns, inner: Bound) -> Bound:
        type_, start, end = columns.target.type, self.start_index, self.end_index
        limit = type_.length

        def python(value: Any) -> str:
            whole = str(value)
            if len(whole) <= start:
                return whole
            piece = inner.apply([[whole[start:end]]])[0][0]
            tail = "" if end is None else whole[end:]
            return f"{whole[:start]}{piece or ''}{tail}"[:limit]

        def sql(value: Any, dialect: Any) -> Any:
            from sqlglot import exp

            from dbmask_sql.dialects.base import call, integer, text

            made = inner.sql([dialect.substr(value, start + 1, None if end is None else end - start)], dialect)
            if made is None:
                return None
            parts = [dialect.substr(value.copy(), 1, start)] if start else []
            parts.append(call("COALESCE", made[0], text("")))
            if end is not None:
                parts.append(dialect.substr(value.copy(), end + 1))
            joined = dialect.concat(*parts) if len(parts) > 1 else parts[0]
            cut = joined if limit is None else dialect.substr(joined, 1, limit)
            short = exp.LTE(this=dialect.length(value.copy()), expression=integer(start))
            return exp.Case(ifs=[exp.If(this=short, true=value.copy())], default=cut)

        own = inner.promises
        promises = Promises(type=type_, total=own.total, keyed=own.keyed, warnings=own.warnings)
        return self.bound(columns, promises, python, sql)
