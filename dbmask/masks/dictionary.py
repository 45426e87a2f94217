"""dictionary: one of a list of values, chosen by the key."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._constants import Scalar, as_constant
from dbmask.masks._lists import named_list
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.masks.build import FileName
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text, canonicalizer

__all__ = ["Dictionary"]

_Values = Annotated[tuple[Scalar, ...], Field(min_length=1)]
_COLORS: dict[str, Any] = {"values": ["red", "green", "blue"]}


@dataclass(frozen=True, kw_only=True)
class Dictionary(KeyedMask):
    """One of ``values``, or of the values in a ``column`` of a CSV ``file`` (beside the policy; or ``builtin:first_names_en``).

    Equal values choose alike; a value that is listed more often is chosen more often.
    """

    name: ClassVar[str] = "dictionary"
    aliases: ClassVar[tuple[str, ...]] = ("from_choices", "from_file")
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "red", _COLORS),
        Case("Bob", "blue", _COLORS),
        Case(None, None, _COLORS),
        Case("", "", _COLORS),
        Case(7, 30, {"values": [10, 20, 30]}, ColumnType(Kind.INTEGER, "integer", bits=32)),
        Case(
            dt.date(1999, 9, 9),
            dt.date(2002, 2, 2),
            {"values": ["2001-01-01", "2002-02-02"]},
            ColumnType(Kind.DATE, "date"),
        ),
        Case("it's", "a'b", {"values": ["a'b", 'say "hi"', "back\\slash", "tab\there", "žluť", "🙂"]}),
    )

    values: Annotated[_Values | None, Field(validation_alias=AliasChoices("values", "choices"))] = None
    file: Annotated[FileName | None, Field(validation_alias=AliasChoices("file", "seed_file"))] = None
    column: Annotated[str | None, Field(validation_alias=AliasChoices("column", "seed_column"))] = None

    def __post_init__(self) -> None:
        if (self.values is None) == (self.file is None):
            raise ValueError("give either `values`, or `file` and `column`")
        if self.column is not None and self.file is None:
            raise ValueError("column belongs to `file`")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit columns of whose type every listed value is one. Raises BindError on others, and where the file cannot be read."""
        type_ = columns.target.type
        listed, note = (list(self.values), "") if self.values else named_list(self.file or "", self.column)
        written: list[Scalar] = [*listed]
        chosen = [as_constant(v, type_, "values" if self.values else "file") for v in written]
        texts = [canonical_text(type_.kind)(v) for v in chosen]
        if type_.kind in (Kind.JSON, Kind.BYTES, Kind.ARRAY, Kind.OTHER):
            raise BindError(f"dictionary has no values of {type_}", "use fixed or null")
        key = self.key(keys)
        canonical = canonicalizer(type_.kind, type_.padded)
        count = len(chosen)

        def python(value: Any) -> Any:
            return chosen[key.word(canonical(value)) % count]

        def sql(value: Any, dialect: Any) -> Any:
            text = dialect.canonical(value, type_.kind, type_.padded)
            if text is None:
                return None
            made = dialect.choose(texts, dialect.mod(dialect.prf_word(text, key.name), count))
            return made if made is None or type_.kind in (Kind.TEXT, Kind.ENUM) else dialect.typed(made, type_.kind)

        promises = Promises(type=type_, keyed=True, outcomes=len(set(texts)), warnings=(note,) if note else ())
        return self.bound(columns, promises, python, sql)
