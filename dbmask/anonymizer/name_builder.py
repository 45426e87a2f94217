"""Dictionaries of names, made from a table of names and how often they are borne.

Names fall into nine groups: masculine, feminine or neither, as first name, last name or both. Each group is sorted by
frequency and cut into bins; in each bin a keyed cycle sends every name to another, so that the whole is a bijection
without fixed points, and a frequent name becomes one about as frequent. (That a name is among the eight most
frequent, or the next eight, stays visible.) The two forms of a Czech surname are one item and move together.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbmask.anonymizer.names import dictionary_key, tokens
from dbmask.anonymizer.surnames import partners
from dbmask.errors import PolicyError, Problem
from dbmask.keys import ColumnKey
from dbmask.masks.base import nearest

__all__ = ["BuiltNames", "GroupReport", "NameRow", "build_names", "read_names"]

_GENDERS = {"m": "masculine", "f": "feminine", "n": "neutral"}
_USAGES = ("first", "last", "both")
_COLUMNS = ("name", "count", "gender", "usage")


@dataclass(frozen=True)
class NameRow:
    """One name of a table. ``count`` is None where no frequency is known; ``gender`` is m, f or n, ``usage`` first, last or both.

    ``pair`` is the other gender's form of a surname, where the table says it.
    """

    name: str
    count: int | None
    gender: str
    usage: str
    pair: str | None = None


@dataclass(frozen=True)
class GroupReport:
    """One group: how many names it has, in how many bins; ``left_out`` are names that could not be given another."""

    name: str
    names: int
    bins: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuiltNames:
    """A dictionary of upper-case names, and what is to be said of how it was made."""

    dictionary: dict[str, str]
    groups: tuple[GroupReport, ...]
    left_out: tuple[str, ...] = ()
    """Names of several words, which are never looked up as one."""

    def report(self) -> str:
        """The groups, and what was left out, as lines."""
        lines = [
            f"{g.name}: {g.names} names in {g.bins} {'bin' if g.bins == 1 else 'bins'}" for g in self.groups if g.bins
        ]
        alone = [f"{n} ({g.name})" for g in self.groups for n in g.left_out]
        if alone:
            lines.append(f"left out, alone in their group: {', '.join(alone)}")
        if self.left_out:
            shown = ", ".join(self.left_out[:5]) + (" ..." if len(self.left_out) > 5 else "")
            lines.append(f"left out, of several words: {len(self.left_out)} ({shown})")
        return "\n".join(lines)


@dataclass
class _Item:
    """What moves as one: a name, or both forms of a surname. ``count`` is -1 where unknown."""

    forms: tuple[str, ...]
    count: int = -1


@dataclass
class _Entry:
    """What a table says of one name, all its rows together."""

    count: int | None = None
    genders: set[str] = field(default_factory=set)
    usages: set[str] = field(default_factory=set)
    pair: str | None = None

    @property
    def group(self) -> tuple[str, str]:
        gender = next(iter(self.genders)) if len(self.genders) == 1 else "n"
        usage = next(iter(self.usages)) if len(self.usages) == 1 else "both"
        return gender, usage


def build_names(rows: Iterable[NameRow], key: ColumnKey, bin_size: int | None = 8) -> BuiltNames:
    """A dictionary from a table of names; ``bin_size`` None makes one bin of each group, for tables without frequencies.

    Names of both usages or genders count as such; equal names in other cases are one name. Raises PolicyError for a
    bin of fewer than two.
    """
    if bin_size is not None and bin_size < 2:
        raise PolicyError([Problem("", f"bin ({bin_size}) must be 2 or more", "nearest: 2")])
    entries: dict[str, _Entry] = defaultdict(_Entry)
    left_out = []
    for row in rows:
        name = dictionary_key(row.name.strip())
        if not name or [word for word, _ in tokens(name)] != [True]:
            left_out.append(row.name)
            continue
        entry = entries[name]
        if row.count is not None:
            entry.count = (entry.count or 0) + row.count
        entry.genders.add(row.gender)
        entry.usages.add(row.usage)
        entry.pair = dictionary_key(row.pair) if row.pair else entry.pair
    dictionary: dict[str, str] = {}
    reports = []
    for title, items in _groups(entries).items():
        report, made = _cycles(title, items, key, bin_size)
        reports.append(report)
        dictionary |= made
    return BuiltNames(dictionary, tuple(reports), tuple(left_out))


def _groups(entries: dict[str, _Entry]) -> dict[str, list[_Item]]:
    """The nine groups in a fixed order; surname pairs apart, so that both forms go to forms of one surname."""
    masculine = {n for n, e in entries.items() if e.group == ("m", "last")}
    feminine = {n for n, e in entries.items() if e.group == ("f", "last")}
    pairs = _pairs(entries, masculine, feminine)
    paired = {*pairs, *pairs.values()}
    groups: dict[str, list[_Item]] = {}
    for usage in _USAGES:
        for gender, word in _GENDERS.items():
            names = [n for n, e in entries.items() if e.group == (gender, usage) and n not in paired]
            groups[f"{word}, {usage}"] = [_Item((n,), _known(entries[n])) for n in names]
    groups["masculine and feminine, last"] = [
        _Item((m, f), max(_known(entries[m]), 0) + max(_known(entries[f]), 0)) for m, f in pairs.items()
    ]
    return groups


def _known(entry: _Entry) -> int:
    return -1 if entry.count is None else entry.count


def _pairs(entries: dict[str, _Entry], masculine: set[str], feminine: set[str]) -> dict[str, str]:
    """Masculine to feminine forms: as the table says, else as Czech has it."""
    said = {n: e.pair for n, e in entries.items() if e.pair}
    found = {m: f for m, f in said.items() if m in masculine and f in feminine}
    found |= {m: f for f, m in said.items() if m in masculine and f in feminine and m not in found}
    seen: set[str] = set()
    unique = {}
    for m, f in sorted(found.items()):
        if f not in seen:
            unique[m] = f
            seen.add(f)
    rest = (masculine - unique.keys()) | (feminine - seen)
    derived = {m: f for m, f in partners(rest).items() if m in masculine and f in feminine}
    return {**unique, **derived}


def _cycles(title: str, items: list[_Item], key: ColumnKey, bin_size: int | None) -> tuple[GroupReport, dict[str, str]]:
    items = sorted(items, key=lambda i: (-i.count, i.forms))
    names = sum(len(i.forms) for i in items)
    if len(items) < 2:
        return GroupReport(title, 0, 0, tuple(n for i in items for n in i.forms)), {}
    size = len(items) if bin_size is None else bin_size
    starts = list(range(0, len(items), size))
    if len(items) - starts[-1] == 1:  # a last bin of one joins the one before
        starts.pop()
    made: dict[str, str] = {}
    for start, end in zip(starts, [*starts[1:], len(items)], strict=True):
        ring = sorted(items[start:end], key=lambda i: key.prf("\0".join(i.forms).encode()))
        for item, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            made.update(zip(item.forms, other.forms, strict=True))
    return GroupReport(title, names, len(starts)), made


def read_names(path: str | Path) -> list[NameRow]:
    """Read a table of names (CSV with a header: name, count, gender, usage, and perhaps pair).

    Raises PolicyError with every line that is wrong.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise PolicyError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(str(path), f"is not UTF-8 at byte {error.start}")]) from None
    reader = csv.DictReader(text.splitlines(), restkey="", strict=True)
    header: Sequence[str] = reader.fieldnames or ()
    missing = [c for c in _COLUMNS if c not in header]
    if missing:
        hints = [nearest(c, list(header)) for c in missing]
        raise PolicyError(
            [Problem(f"{path}:1", f"has no column {c!r}", h) for c, h in zip(missing, hints, strict=True)]
        )
    rows, problems = [], []
    try:
        for row in reader:
            made = _row(row)
            if isinstance(made, str):
                problems.append(Problem(f"{path}:{reader.line_num}", made))
            else:
                rows.append(made)
    except csv.Error as error:
        problems.append(Problem(f"{path}:{reader.line_num}", f"is not CSV: {error}"))
    if problems:
        raise PolicyError(problems)
    return rows


def _row(row: dict[str, str | None]) -> NameRow | str:
    """The row, or what is wrong with it."""
    name, count, gender, usage = ((row[c] or "").strip() for c in _COLUMNS)
    if "" in row:
        return "has more fields than the header"
    if not name:
        return "has no name"
    if not re.fullmatch(r"[0-9]*", count):
        return "count must be a number, or empty where it is not known"
    if gender not in _GENDERS:
        return f"gender must be {', '.join(_GENDERS)}"
    if usage not in _USAGES:
        return f"usage must be {', '.join(_USAGES)}"
    return NameRow(name, int(count) if count else None, gender, usage, (row.get("pair") or "").strip() or None)
