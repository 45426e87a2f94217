"""Arithmetic on dates and timestamps as Python or SQLite holds them: texts come back as texts of the same layout."""

from __future__ import annotations

import datetime as dt
from typing import Any

__all__ = ["add_days", "date_floor"]

_CUT = {"year": 4, "month": 7, "day": 10}
_FIRST = "0001-01-01"


def _moment(value: str) -> dt.datetime:
    if value[4:5] != "-" or value[7:8] != "-":  # ISO 8601 without hyphens, weeks
        raise ValueError("no date of the form YYYY-MM-DD")
    return dt.datetime.fromisoformat(value)


def date_floor(value: Any, part: str) -> Any:
    """A date or timestamp at the beginning of its year, month or day; zoned ones by UTC, texts as they are written.

    Raises ValueError where a text is neither.
    """
    if isinstance(value, str):
        moment = _moment(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC)
        made = moment.date().isoformat()[: _CUT[part]]
        made += _FIRST[len(made) :]
        return made if len(value) <= 10 else f"{made}{value[10]}00:00:00{'+00:00' if moment.tzinfo else ''}"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC)
    changes: dict[str, Any] = {"year": {"month": 1, "day": 1}, "month": {"day": 1}, "day": {}}[part]
    if isinstance(value, dt.datetime):
        changes = {**changes, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    return value.replace(**changes)


def add_days(value: Any, days: int) -> Any:
    """A date or timestamp moved by days of 24 hours; of a text, everything after the date stays as it is written.

    Raises ValueError where a text is neither, OverflowError beyond years 1 and 9999.
    """
    if isinstance(value, str):
        _moment(value)
        moved = dt.date.fromisoformat(value[:10]) + dt.timedelta(days=days)
        return moved.isoformat() + value[10:]
    return value + dt.timedelta(days=days)
