"""Rules over records in Python: dicts in, dicts out.

>>> list(Masker({"id": "drop", "phone": {"strategy": "redact", "keep_end": 4}}).mask([{"id": 1, "phone": "555-0101"}]))
[{'phone': '****0101'}]
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from dbmask.errors import UsageError
from dbmask.files.binding import RuleBound
from dbmask.files.records import RecordMasker
from dbmask.files.rules import load_rules, rules_from_dict
from dbmask.keys import KeyRing, MasterKey

__all__ = ["Masker"]

_BATCH = 256


class Masker:
    """Rules, checked; mask with them as often as you like.

    ``rules`` maps dotted paths of fields to strategies (or is the path of a rules file); ``salt`` is for hashes without a
    salt of their own; ``key`` (32 bytes or more) is for keyed masks of policies named as strategies. ``strict`` refuses
    fields without a rule; ``allow_missing`` allows rules that match nothing. Raises RulesError (a PolicyError and a
    ValueError) with every problem.
    """

    def __init__(
        self,
        rules: Mapping[str, Any] | str | Path,
        salt: str = "",
        *,
        allow_missing: bool = False,
        strict: bool = False,
        key: bytes | None = None,
    ) -> None:
        self.rules = load_rules(rules, salt) if isinstance(rules, str | Path) else rules_from_dict(rules, salt)
        self.allow_missing = allow_missing
        self.strict = strict
        self._keys = KeyRing(None if key is None else MasterKey(key))
        self.warnings = tuple(
            f"{rule.path}: {text}"
            for rule in self.rules
            for text in RuleBound(rule, self._keys).warnings
            if rule.mask.name == "noise"
        )
        for text in self.warnings:
            warnings.warn(text, UserWarning, stacklevel=2)

    def mask(self, records: Any) -> Iterator[dict[str, Any]]:
        """Masked copies of the records, as they come: dicts, or the rows of a DataFrame of pandas or polars.

        Records are taken some hundreds at a time. Raises MaskError naming record and field where a value cannot be
        masked, and at the end where a rule matched no field; warns there of fields whose every value became the default.
        """
        return self._masked(_rows(records))

    def _masked(self, records: Iterator[Any]) -> Iterator[dict[str, Any]]:
        run = RecordMasker(self.rules, self._keys, self.strict)
        while batch := list(islice(records, _BATCH)):
            yield from run.mask(batch, _place(run.records + 1))
        run.finish(self.allow_missing)
        for rule in run.only_default:
            warnings.warn(f"{rule.path}: every value became the default", UserWarning, stacklevel=2)


def _place(first: int) -> Callable[[int], str]:
    return lambda i: f"record {first + i}"


def _rows(records: Any) -> Iterator[Any]:
    if isinstance(records, Mapping | str | bytes):
        raise UsageError("mask() takes records: a list, a generator or a DataFrame, not one record alone")
    if hasattr(records, "iter_rows"):  # polars
        return iter(records.iter_rows(named=True))
    if hasattr(records, "itertuples") and hasattr(records, "columns"):  # pandas
        names = [str(name) for name in records.columns]
        if len(set(names)) < len(names):
            raise UsageError("the DataFrame has two columns of one name: records cannot hold both")
        return (dict(zip(names, map(_filled, row), strict=True)) for row in records.itertuples(index=False, name=None))
    if not isinstance(records, Iterable):
        raise UsageError("mask() takes records: a list, a generator or a DataFrame")
    return iter(records)


_MISSING = ("NAType", "NaTType")


def _filled(value: Any) -> Any:
    """A cell of pandas's as Python has it; None for what is missing: NaN, NaT and NA, of which the last cannot be compared."""
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and not value.shape:
        value = value.item()
    if isinstance(value, float | Decimal):
        return value if value == value else None
    return None if type(value).__name__ in _MISSING else value
