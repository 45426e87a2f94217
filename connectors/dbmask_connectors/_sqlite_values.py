"""Values of other databases as SQLite stores them: numbers, text, bytes, NULL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

__all__ = ["storable"]

_NATIVE = frozenset({type(None), int, float, str, bytes, bool, memoryview, bytearray})


def _timestamp(value: dt.datetime) -> str:
    return value.isoformat(" ")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _integer(value: int) -> int | str:
    return value if -(2**63) <= value < 2**63 else str(value)


_MADE: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (dt.datetime, _timestamp),
    (dt.date, dt.date.isoformat),
    (dt.time, dt.time.isoformat),
    (Decimal, str),  # a DECIMAL column makes a number of it where none of its digits is lost
    (Enum, lambda v: v.value),
    (dict, _json),
    (list, _json),
    (tuple, _json),
    (int, _integer),
)


def _one(value: Any) -> Any:
    for kind, make in _MADE:
        if isinstance(value, kind):
            return make(value)
    return value if type(value) in _NATIVE else str(value)


def storable(values: list[Any]) -> list[Any]:
    """The same list where SQLite can take it as it is, else one with each value in SQLite's terms."""
    kinds = set(map(type, values))
    if kinds <= _NATIVE and int not in kinds:
        return values
    if kinds <= {int, type(None)}:
        known = [v for v in values if v is not None]
        if min(known) >= -(2**63) and max(known) < 2**63:
            return values
    return [_one(v) for v in values]
