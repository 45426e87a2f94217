"""The anonymizer's parameters, read from Python or XML, with all violations reported together."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from dbmask.anonymizer.eras import CENTURIES, EXTENDED, RC_ERAS, Segment, range_problems, segments, year_after
from dbmask.anonymizer.flags import ScoringEntry, entry_problems, read_entries
from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import nearest

__all__ = ["CHOICES", "ROLES", "Parameters", "read_parameters"]

ROLES = ("rc", "birthDate", "firstName", "lastName")
"""The columns that the anonymizer knows, by their names in its parameters."""

CHOICES: dict[str, tuple[str, ...]] = {
    "type": ("cz.rc", "sk.rc", "pl.pesel", "ro.cnp", "bg.egn", "ee.ik", "lt.asmens"),
    "separator": ("auto", "none"),
    "artificial": ("keep", "mask"),
    "on_invalid": ("keep", "replace", "null", "error"),
    "check_digit": ("strict", "last_only"),
}
"""The legal values of the parameters that are a choice, the default first."""

_WIDEST = 10.0


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What the anonymizer is told. :meth:`problems` says what is wrong with it.

    ``birthDayMin`` and ``birthDayMax`` are both included. ``widening`` is how many days a date's window grows for each
    day that it lies before ``birthDayMax``. ``scorer`` is None where no score is asked for.
    """

    birthDayMin: dt.date
    birthDayMax: dt.date
    changeNames: bool = True
    nameLookupFileName: str | None = None
    type: str = "cz.rc"
    widening: float = 0.05
    separator: str = "auto"
    extendedSince: dt.date = EXTENDED
    artificial: str = "keep"
    on_invalid: str = "keep"
    check_digit: str = "strict"
    unique: bool = False
    scorer: tuple[ScoringEntry, ...] | None = field(default=None)

    @property
    def is_rc(self) -> bool:
        """Whether numbers are Czech or Slovak, whose eras and guessed centuries others do not have."""
        return self.type in ("cz.rc", "sk.rc")

    @property
    def starts(self) -> tuple[dt.date, ...]:
        """The days on which a new era begins."""
        return RC_ERAS if self.is_rc else CENTURIES

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The stretches of days that the date map permutes."""
        # The day that shares its two-digit year with the last one belongs to the earlier part.
        repeats = year_after(self.birthDayMax, -100) + dt.timedelta(days=1)
        cuts = (repeats, self.extendedSince) if self.is_rc else ()
        return segments(self.birthDayMin, self.birthDayMax, self.starts, cuts)

    def problems(self) -> list[Problem]:
        """Everything that is wrong, each with the value and the nearest legal ones."""
        found = []
        for name, legal in CHOICES.items():
            value = getattr(self, name)
            if value not in legal:
                found.append(Problem("", f"{name} ({value}) must be one of {', '.join(legal)}", nearest(value, legal)))
        if not (math.isfinite(self.widening) and 0 <= self.widening <= _WIDEST):
            near = 0.0 if self.widening < 0 else _WIDEST
            found.append(Problem("", f"widening ({self.widening}) must be from 0 to {_WIDEST:g}", f"nearest: {near:g}"))
        if self.type in CHOICES["type"]:
            found += range_problems(self.birthDayMin, self.birthDayMax, self.starts)
        return found + entry_problems(self.scorer or ())


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(_text(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    return float(value)


def _bool(value: Any) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError


_READ: dict[str, tuple[Callable[[Any], Any], str]] = {
    "dt.date": (_date, "a date such as 1954-01-01"),
    "bool": (_bool, "true or false"),
    "float": (_number, "a number"),
    "str": (_text, "a text"),
    "str | None": (_text, "a text"),
}


def read_parameters(given: Mapping[str, Any]) -> Parameters:
    """Parameters from plain values, or from their texts in XML. Raises PolicyError with everything that is wrong."""
    known = {f.name: f for f in fields(Parameters)}
    problems = [
        Problem("", f"there is no parameter {name!r}", nearest(name, list(known)))
        for name in given
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, item in known.items():
        value = given.get(name)
        if value is None:
            if item.default is MISSING:
                problems.append(Problem("", f"{name} is required"))
        elif name == "scorer":
            entries, wrong = read_entries(value)
            values[name] = tuple(entries)
            problems += wrong
        else:
            convert, say = _READ[str(item.type)]
            try:
                values[name] = convert(value)
            except ValueError:
                problems.append(Problem("", f"{name} must be {say}"))
    # What could be read is checked even where something else could not.
    if "birthDayMin" in values and "birthDayMax" in values:
        made = Parameters(**values)
        problems += made.problems()
        if not problems:
            return made
    raise PolicyError(problems)
