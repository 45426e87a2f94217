"""What the suite runs: every mask's documented cases, gathered by parameters and types, on rows of hostile values.

Nothing here names a mask: a class that is registered and has ``cases`` is held to them on every engine.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.masks.base import Bound, Case, Columns
from dbmask.masks.build import build_mask
from dbmask.registry import mask_classes
from dbmask.schema import Column, ColumnType, Kind
from dbmask_sql.canonical import canonicalizer
from tests.conformance.values import hostile
from tests.masks.engines import KEYS

__all__ = ["KEYS", "TARGET", "Setup", "canonical_column", "setups"]

TARGET = "v"
KEY = "row_id"
_KEY_TYPE = ColumnType(Kind.INTEGER, "integer", bits=32)


@dataclass(frozen=True)
class Setup:
    """One mask with one set of parameters on one set of column types."""

    mask: str
    params: Mapping[str, Any]
    types: Mapping[str, ColumnType]
    cases: tuple[Case, ...] = field(compare=False, default=())

    def __str__(self) -> str:
        params = json.dumps(self.params, default=str, ensure_ascii=True, separators=(",", ":"))[1:-1]
        return f"{self.mask}-{self.types[TARGET]}-{params}"[:90]

    def bind(self) -> Bound:
        """The mask on its columns, under the documentation's key."""
        columns = {name: Column(name, type_) for name, type_ in self.types.items()}
        mask = build_mask({"mask": self.mask, **self.params})
        return mask.bind(Columns((columns[TARGET],), columns, (), "t"), KEYS)

    def rows(self, extra: Sequence[Any] = ()) -> dict[str, list[Any]]:
        """Columns by name: the cases first, then hostile values of each type, then ``extra`` values of the target."""
        given = [c.given for c in self.cases]
        values = [*given, *hostile(self.types[TARGET]), *extra]
        columns = {TARGET: values}
        for name, type_ in self.types.items():
            if name == KEY:
                columns[name] = list(range(len(values)))
            elif name != TARGET:
                fill = itertools.cycle([*(c.row.get(name) for c in self.cases), *hostile(type_)])
                columns[name] = [c.row.get(name) for c in self.cases] + list(
                    itertools.islice(fill, len(values) - len(given))
                )
        return columns


def setups() -> list[Setup]:
    """Every setup of every registered mask."""
    found: dict[str, list[Case]] = {}
    for name, cls in sorted(mask_classes().items()):
        for case in cls.cases:
            others = {n: case.types.get(n, ColumnType(Kind.TEXT, "text")) for n in case.row}
            key = json.dumps([name, case.params, repr(case.type), repr(others)], default=str, sort_keys=True)
            found.setdefault(key, []).append(case)
    made = []
    for key, cases in found.items():
        first = cases[0]
        others = {n: first.types.get(n, ColumnType(Kind.TEXT, "text")) for n in first.row}
        types = {TARGET: first.type, KEY: _KEY_TYPE, **others}
        made.append(Setup(json.loads(key)[0], first.params, types, tuple(cases)))
    return made


def canonical_column(values: Sequence[Any], type_: ColumnType) -> list[bytes | None]:
    """A column's values in canonical bytes, so that a date and its text in SQLite compare."""
    read = canonicalizer(type_.kind, type_.padded)
    return [None if v is None else read(v) for v in values]
