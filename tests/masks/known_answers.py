"""The frozen answers of every mask: what ``known_answers.json`` holds, and how entries are added to it.

    python -m tests.masks.known_answers      # adds what is missing; what is there is never changed

An entry stands by itself: a mask, its parameters, the types of its columns, rows, and what they become under the
documentation's key. A change of one is a change in every replica made so far.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from dbmask.errors import DbmaskError
from dbmask.masks._constants import as_constant
from dbmask.masks.base import Bound, Columns
from dbmask.masks.build import build_mask
from dbmask.registry import mask_classes
from dbmask.schema import Column, ColumnType, Kind
from dbmask_sql.canonical import canonical_text
from tests.conformance.setups import KEYS, TARGET, Setup, setups

__all__ = ["FILE", "made_now", "masks_with_answers"]

FILE = Path(__file__).with_name("known_answers.json")
_AS_IT_IS = (Kind.TEXT, Kind.ENUM, Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN)

SAMPLES: dict[Kind, list[Any]] = {
    Kind.TEXT: [
        "Alice",
        "ALICE",
        "Žofie Nováková",
        "x",
        "a@b.cz",
        "+420 601 123 456",
        "4532-1234-5678-9014",
        "27",
        "2024-02-29",
    ],
    Kind.INTEGER: [0, 1, 7, 42, 99, -1, 12345],
    Kind.DECIMAL: [Decimal("0"), Decimal("1.50"), Decimal("-12345.67")],
    Kind.FLOAT: [0.0, 1.5, -2.25, 1000.0],
    Kind.DATE: [dt.date(1, 1, 1), dt.date(2000, 2, 29), dt.date(1995, 6, 15)],
    Kind.TIMESTAMP: [dt.datetime(2000, 2, 29, 12, 30), dt.datetime(1969, 12, 31, 23, 59, 59, 999999)],
    Kind.TIMESTAMPTZ: [dt.datetime(2000, 2, 29, 12, 30, tzinfo=dt.UTC)],
    Kind.UUID: [uuid.UUID(int=1), uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")],
    Kind.BOOLEAN: [True, False],
}


def made_now(entry: Mapping[str, Any]) -> list[Any]:
    """What an entry's rows become today, as JSON holds values."""
    types = {n: _type(t) for n, t in entry["types"].items()}
    rows = {n: [None if v is None else _value(v, types[n]) for v in values] for n, values in entry["rows"].items()}
    bound = _bound(entry["mask"], entry["params"], types)
    return [_plain(v, bound.promises.type) for v in bound.apply([rows[n] for n in bound.inputs])[0]]


def masks_with_answers() -> set[str]:
    """The masks that give the same for the same rows, and so must have entries: all but those without a form in Python, or random ones."""
    return {s.mask for s in setups() if _entry(s) is not None}


def _bound(mask: str, params: Mapping[str, Any], types: Mapping[str, ColumnType]) -> Bound:
    columns = {n: Column(n, t) for n, t in types.items()}
    return build_mask({"mask": mask, **params}).bind(Columns((columns[TARGET],), columns, ("row_id",), "t"), KEYS)


def _type(data: Mapping[str, Any]) -> ColumnType:
    return ColumnType(**{**data, "kind": Kind(data["kind"]), "values": tuple(data.get("values", ()))})


def _type_data(type_: ColumnType) -> dict[str, Any]:
    default = ColumnType(type_.kind)
    return {
        f.name: getattr(type_, f.name)
        for f in dataclasses.fields(type_)
        if f.name == "kind" or getattr(type_, f.name) != getattr(default, f.name)
    }


def _value(value: Any, type_: ColumnType) -> Any:
    return value if type_.kind in _AS_IT_IS else as_constant(value, ColumnType(type_.kind), "known answer")


def _plain(value: Any, type_: ColumnType) -> Any:
    return value if value is None or type_.kind in _AS_IT_IS else canonical_text(type_.kind)(value).removesuffix("Z")


def _fits(value: Any, type_: ColumnType) -> bool:
    try:
        as_constant(value if isinstance(value, int | float) else str(value), type_, "sample")
    except DbmaskError:
        return False
    return True


def _entry(setup: Setup) -> dict[str, Any] | None:
    """A setup's entry; None where its rows cannot be masked in Python, or are not masked alike twice."""
    types = setup.types
    given = [
        *(c.given for c in setup.cases),
        *(v for v in SAMPLES.get(types[TARGET].kind, []) if _fits(v, types[TARGET])),
    ]
    first = setup.cases[0].row
    rows: dict[str, list[Any]] = {TARGET: given, "row_id": list(range(len(given)))}
    for name in types.keys() - {TARGET, "row_id"}:
        known = [c.row.get(name) for c in setup.cases]
        rows[name] = known + [first.get(name)] * (len(given) - len(known))
    entry = {
        "mask": setup.mask,
        "params": dict(setup.params),
        "types": {n: _type_data(t) for n, t in types.items()},
        "rows": {n: [_plain(v, types[n]) for v in values] for n, values in rows.items()},
    }
    try:
        made = made_now(entry)
    except (DbmaskError, IndexError):
        return None
    return {**entry, "made": made} if made_now(entry) == made_now(entry) == made else None


def _identity(entry: Mapping[str, Any]) -> str:
    return json.dumps([entry["mask"], entry["params"], entry["types"]], sort_keys=True, default=str)


def _add() -> None:
    known: list[Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    there = {_identity(e) for e in known}
    fresh = [
        e
        for s in setups()
        if (e := _entry(s)) is not None and _identity(json.loads(json.dumps(e, default=str))) not in there
    ]
    lines = [json.dumps(e, ensure_ascii=False, default=str) for e in (*known, *fresh)]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")
    names = sorted(set(mask_classes()) & {e["mask"] for e in fresh})
    print(f"{len(fresh)} entries added{': ' if names else ''}{', '.join(names)}")


if __name__ == "__main__":
    _add()
