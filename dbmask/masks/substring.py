"""substring: a piece of the text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask

__all__ = ["Substring"]


@dataclass(frozen=True, kw_only=True)
class Substring(ValueMask):
    """The characters from ``start_index`` (counted from 0) up to, and without, ``end_index``; up to the end where it is not given."""

    name: ClassVar[str] = "substring"
    aliases: ClassVar[tuple[str, ...]] = ("take_substring",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "Al", {"end_index": 2}),
        Case("Alice", "ice", {"start_index": 2}),
        Case("Alice", "ic", {"start_index": 2, "end_index": 4}),
        Case("Al", "", {"start_index": 2}),
        Case(None, None, {"end_index": 2}),
        Case("", "", {"end_index": 2}),
    )

    start_index: Annotated[int, Field(ge=0)] = 0
    end_index: Annotated[int, Field(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.end_index is not None and self.end_index <= self.start_index:
            raise ValueError("end_index must be greater than start_index")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(
                f"substring makes text, and the column is {type_}", "use generalize with method: floor, or fixed"
            )
        start, end = self.start_index, self.end_index
        lengths = [n for n in (type_.length, None if end is None else end - start) if n is not None]
        out = replace(type_, length=min(lengths, default=None))

        def sql(value: Any, dialect: Any) -> Any:
            return dialect.substr(value, start + 1, None if end is None else end - start)

        return self.bound(columns, Promises(type=out), lambda v: str(v)[start:end], sql, keeps_empty=True)
