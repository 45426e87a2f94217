"""A batch of rows through dates, numbers and names: who decides what, and which flags say so.

The birth date decides over the number: out of the range, both stay; the same day, both move to the same day; another day, each
moves by itself. Every value depends on its own row only, so neither order nor batch size matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dbmask.anonymizer.births import NO_DATE, OUT_OF_RANGE, Births
from dbmask.anonymizer.datemap import DateMap
from dbmask.anonymizer.flags import Flag
from dbmask.anonymizer.imitation import Imitation
from dbmask.anonymizer.names import Names
from dbmask.anonymizer.national import NationalNumbers
from dbmask.anonymizer.numbers import Batch, Bools, Days, Numbers
from dbmask.anonymizer.parameters import Parameters
from dbmask.anonymizer.rc import rc_numbers
from dbmask.errors import MaskError, PolicyError, Problem
from dbmask.keys import ColumnKey

__all__ = ["Engine", "Outcome"]

_NOT_APART = (
    "unique: the range from birthDayMin to birthDayMax holds years that two digits tell apart only by guessing, and "
    "numbers from both could come to be the same"
)


@dataclass(frozen=True)
class Outcome:
    """A masked batch: the columns that were given, by their names in the parameters, and each row's flags as bits."""

    columns: dict[str, list[Any]]
    flags: npt.NDArray[np.uint8]


class Engine:
    """The anonymizer for one set of parameters and one key.

    ``dictionary`` holds upper-case names; None where names do not change or no name will come. ``key`` is the domain's;
    ``limits`` says how many characters a name may have, by role. Raises PolicyError where `unique` cannot be had.
    """

    def __init__(
        self,
        parameters: Parameters,
        dictionary: Mapping[str, str] | None,
        key: ColumnKey,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.parameters = parameters
        self._key = key
        self._imitation = Imitation(key.sub("imitation"), parameters.unique)
        self._names: dict[str, Names] = {}
        if dictionary is not None:
            for role in ("firstName", "lastName"):
                limit = (limits or {}).get(role)
                self._names[role] = Names(dictionary, parameters.on_invalid, self._imitation, limit)
        if parameters.unique and not self.apart:
            raise PolicyError([Problem("", _NOT_APART, "give a range of days that is shorter, or longer by a year")])

    @cached_property
    def days(self) -> DateMap:
        """The date map, built when it is first needed."""
        return DateMap(self.parameters, self._key.sub("dates"))

    @cached_property
    def numbers(self) -> Numbers:
        """The number's tables, built when they are first needed and kept for equal parameters."""
        return rc_numbers(self.parameters) if self.parameters.is_rc else NationalNumbers(self.parameters)

    @cached_property
    def _births(self) -> Births:
        return Births(self.days, self.parameters.birthDayMax, self.parameters.on_invalid, self._imitation)

    @property
    def apart(self) -> bool:
        """Whether different numbers stay different, of rows without a birth date."""
        return (self.parameters.on_invalid != "replace" or self.parameters.unique) and self.numbers.apart

    def require_names(self) -> None:
        """Raise PolicyError where names change and there is no dictionary."""
        if self.parameters.changeNames and not self._names:
            hint = "give a CSV file or builtin:cs, or `changeNames: false`"
            raise PolicyError([Problem("", "nameLookupFileName is required when names change", hint)])

    def run(self, columns: Mapping[str, Sequence[Any]], rows: int | None = None) -> Outcome:
        """Mask a batch of columns of one length. Raises MaskError, and PolicyError where names come without a dictionary."""
        count = max((len(values) for values in columns.values()), default=rows or 0)
        flags = np.zeros(count, np.uint8)
        made: dict[str, list[Any]] = {}
        days = None
        if "birthDate" in columns:
            days, made["birthDate"] = self._births.run(columns["birthDate"])
            flags[days == OUT_OF_RANGE] |= np.uint8(Flag.AA_BD_NOT_CHANGED)
        if "rc" in columns:
            made["rc"] = self._rc(columns["rc"], days, flags)
        for name, flag in (("firstName", Flag.AA_FN_NOT_CHANGED), ("lastName", Flag.AA_LN_NOT_CHANGED)):
            if name in columns:
                made[name] = self._name(columns[name], name, flag, flags)
        return Outcome({name: made[name] for name in columns}, flags)

    def _name(self, values: Sequence[Any], what: str, flag: Flag, flags: npt.NDArray[np.uint8]) -> list[Any]:
        if not self.parameters.changeNames:
            return list(values)
        if not self._names:
            if any(values):
                self.require_names()
            return list(values)
        failed, made = self._names[what].run(values, what)
        if failed:
            flags[np.array(failed, np.bool_)] |= np.uint8(flag)
        return made

    def _rc(self, values: Sequence[Any], days: Days | None, flags: npt.NDArray[np.uint8]) -> list[Any]:
        batch = self.numbers.read(values)
        present = batch.lines.lengths > 0
        use = batch.alone
        guessed = batch.guessed
        if days is not None:
            matching = batch.matches(days)
            if self.parameters.unique:
                _assert_distinct(batch, days, matching)
            use = np.where(matching, days, np.where(days == OUT_OF_RANGE, -1, use))
            flags[present & (days >= 0) & batch.real & ~matching] |= np.uint8(Flag.AA_RC_DATE_MISMATCH)
            guessed = guessed & (days == NO_DATE)
        changed = use >= 0
        flags[changed & guessed] |= np.uint8(Flag.AA_RC_CENTURY_GUESS)
        left = present & ~changed
        flags[left] |= np.uint8(Flag.AA_RC_NOT_CHANGED)
        if self.parameters.on_invalid == "replace":
            # A good number beside a date out of the range does not stay raw.
            changed = batch.alone >= 0 if days is None else changed | (batch.alone >= 0)
            use = np.where(use >= 0, use, batch.alone)
            left = present & ~changed
        made = batch.write(self.days.image[use], changed)
        if self.parameters.on_invalid != "keep" and left.any():
            self._replace(made, left)
        return made

    def _replace(self, made: list[Any], left: Bools) -> None:
        """What becomes of numbers that could not be moved, in place."""
        how = self.parameters.on_invalid
        if how == "error":
            raise MaskError("anonymizer: a birth number cannot be transformed, and `on_invalid` is error")
        for i in np.flatnonzero(left).tolist():
            made[i] = None if how == "null" else self._imitation.number(made[i], self._is_number)

    def _is_number(self, text: str) -> bool:
        return int(self.numbers.read([text]).alone[0]) >= 0


def _assert_distinct(batch: Batch, days: Days, matching: Bools) -> None:
    """What `unique` asserts of rows with a birth date: the number would have gone where it goes without one."""
    if ((days == OUT_OF_RANGE) & (batch.alone >= 0)).any():
        what = "a birth date is out of the range and its number is not: left as it is, the number could stand twice"
    elif (matching & (days != batch.alone)).any():
        what = "a birth date gives its number a century other than the number by itself: masked, it could stand twice"
    else:
        return
    raise MaskError(f"anonymizer: {what}, and `unique` is set")
