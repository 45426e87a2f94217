"""by_columns: a mask drawn from other columns of the row instead of from its own value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import DbmaskError, MaskError
from dbmask.keys import KeyRing
from dbmask.masks._parts import bind_chain, inputs_of
from dbmask.masks._reports import Reporting
from dbmask.masks._rows import text_of
from dbmask.masks._sources import Material, SourcedRing, column_material
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.masks.build import InnerMask
from dbmask.schema import Column, ColumnType, Kind

__all__ = ["ByColumns"]

_TEXT = ColumnType(Kind.TEXT, "text")


@dataclass(frozen=True, kw_only=True)
class ByColumns(Mask):
    """``masks``, drawn from ``columns`` of the same row: all values of one patient, whatever they are, mask alike.

    Any keyed mask takes it as ``hash_columns``: ``{mask: first_name, hash_columns: [patient_id]}``. Where a column is
    null the value itself stands for it. What a mask keeps of a value (its length, its capitals) still depends on it.
    """

    name: ClassVar[str] = "by_columns"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(
            "John",
            "a",
            {"columns": ["patient"], "masks": [{"mask": "dictionary", "values": ["a", "b", "c", "d", "e", "f"]}]},
            row={"patient": "001"},
            types={"patient": _TEXT},
        ),
        Case(
            "Jane",
            "a",
            {"columns": ["patient"], "masks": [{"mask": "dictionary", "values": ["a", "b", "c", "d", "e", "f"]}]},
            row={"patient": "001"},
            types={"patient": _TEXT},
        ),
    )

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    masks: Annotated[tuple[InnerMask, ...], Field(min_length=1)]

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit what its masks fit. Raises BindError as they do, and for a column that the table does not have."""
        sources = tuple(columns.other(name, "columns") for name in self.columns)
        return _ByColumnsBound(self, columns, keys, sources)


class _ByColumnsBound(Reporting):
    """The masks bound with keys that mix in the row's columns."""

    def __init__(self, mask: ByColumns, columns: Columns, keys: KeyRing, sources: Sequence[Column]) -> None:
        self._mask = mask
        self._columns = columns
        self._keys = keys
        self._texts = [text_of(column) for column in sources]
        self._material = Material(with_self=False)
        self._chain = self._bind()
        self.inputs = inputs_of(columns.target.name, [self._chain], [c.name for c in sources])
        self.outputs = (columns.target.name,)
        self.promises: Promises = replace(
            self._chain.promises, value_only=False, injective=False, keyed=True, unchanged=1.0
        )

    def _bind(self) -> Any:
        ring = SourcedRing(self._keys, self._material)
        return bind_chain(self._mask.masks, self._columns, ring, self._mask.name)

    def _rebound(self) -> Any:
        made, report = self._bind(), self.report
        if report is not None:
            made.count_into(report)
        return made

    def within(self) -> Sequence[Bound]:
        """The masks as they are bound now."""
        return (self._chain,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Mask row by row. Raises MaskError."""
        named = dict(zip(self.inputs, columns, strict=True))
        sources = [named[name] for name in self._mask.columns]
        target = self._columns.target.name
        made = []
        try:
            for i, value in enumerate(named[target]):
                found = [text(column[i]) for text, column in zip(self._texts, sources, strict=True)]
                self._material.use(column_material(found, str(value)))
                if self._material.bound:
                    self._chain = self._rebound()
                made += self._chain.apply([[named[name][i]] for name in self._chain.inputs])[0]
        except DbmaskError:
            raise
        except Exception as error:
            # The exception's text may quote the value; only its type is passed on.
            where = f"{self._columns.table}.{target}: {self._mask.name}"
            raise MaskError(f"{where}: a value could not be masked ({type(error).__name__})") from None
        return [made]

    def sql(self, exprs: Sequence[Any], dialect: Any) -> None:
        """No form in SQL: each row has keys of its own."""
        return None
