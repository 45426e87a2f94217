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


_MADE: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (dt.datetime, _timestamp),
    (dt.date, dt.date.isoformat),
    (dt.time, dt.time.isoformat),
    (Decimal, lambda v: format(v, "f")),  # a DECIMAL column makes a number of it where none of its digits is lost
    (Enum, lambda v: v.value),
    (dict, _json),
    (list, _json),
    (tuple, _json),
)


def _one(value: Any) -> Any:
    for kind, make in _MADE:
        if isinstance(value, kind):
            return make(value)
    return value if type(value) in _NATIVE else str(value)


def storable(values: list[Any], wide: bool = False) -> list[Any]:
    """The same list where SQLite can take it as it is, else one with each value in SQLite's terms.

    ``wide``: integers may have more than 64 bits, and the column holds them as text.
    """
    if wide:
        return [None if v is None else str(v) for v in values]
    return values if _NATIVE.issuperset(map(type, values)) else [_one(v) for v in values]
