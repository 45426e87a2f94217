"""The names of kept replicas: a mark and the second in which each was replaced, so that their order is that of the names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

__all__ = ["STAMP", "replaced_at", "stamp_after"]

STAMP = r"[0-9]{12}"
"""What a stamp looks like, as a regular expression."""
_FORM = "%y%m%d%H%M%S"


def stamp_after(taken: Iterable[str]) -> str:
    """Now (UTC) as twelve digits; later than every stamp that is taken, whatever the clock says."""
    now = dt.datetime.now(dt.UTC)
    last = max(taken, default="")
    made = now.strftime(_FORM)
    if made > last:
        return made
    try:
        return (_read(last) + dt.timedelta(seconds=1)).strftime(_FORM)
    except ValueError:  # twelve digits that are no time: of another making, and greater than any
        return str(int(last) + 1).zfill(12)[-12:]


def _read(stamp: str) -> dt.datetime:
    return dt.datetime.strptime(stamp, _FORM).replace(tzinfo=dt.UTC)


def replaced_at(stamp: str) -> str:
    """The stamp as ISO 8601; empty where it is no time."""
    try:
        return _read(stamp).isoformat()
    except ValueError:
        return ""
