"""Dictionaries of names for masking: a CSV file of name and replacement, or one made of the package's lists."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbmask.anonymizer.names import dictionary_key
from dbmask.errors import PolicyError, Problem
from dbmask.keys import ColumnKey

__all__ = ["HEADER", "check_lookup_name", "load_dictionary", "upper_dictionary", "write_dictionary"]

HEADER = ("name", "replacement")
_BUILTIN = "builtin:"
_DELIMITERS = (",", ";", "\t")


def check_lookup_name(source: str) -> list[Problem]:
    """What can be seen to be wrong with ``nameLookupFileName`` before anything is read."""
    from dbmask.anonymizer.builtin_names import LOCALES

    if source.startswith(_BUILTIN):
        if source.removeprefix(_BUILTIN) in LOCALES:
            return []
        legal = ", ".join(f"{_BUILTIN}{locale}" for locale in LOCALES)
        return [Problem("", f"nameLookupFileName ({source}) must be a CSV file or one of {legal}")]
    if source.lower().endswith(".cif"):
        hint = "name a CSV file of name and replacement with --name-lookup (or nameLookupFileName)"
        return [Problem("", f"nameLookupFileName ({source}): a .cif table cannot be read", hint)]
    return []


def load_dictionary(source: str, key: ColumnKey, base: Path | None = None) -> dict[str, str]:
    """The dictionary that ``nameLookupFileName`` names: ``builtin:cs``, or a CSV file (relative to ``base``).

    Both columns are upper-cased. Raises PolicyError with every line that is wrong.
    """
    problems = check_lookup_name(source)
    if problems:
        raise PolicyError(problems)
    if source.startswith(_BUILTIN):
        from dbmask.anonymizer.builtin_names import builtin_dictionary

        return builtin_dictionary(source.removeprefix(_BUILTIN), key)
    return _read((base or Path()) / source)


def upper_dictionary(given: Mapping[str, str]) -> dict[str, str]:
    """A dictionary with keys and values as they are looked up. Raises PolicyError where two keys become one and differ."""
    made: dict[str, str] = {}
    problems: list[Problem] = []
    for name, other in given.items():
        _add(made, name, other, "nameLookup", problems)
    if problems:
        raise PolicyError(problems)
    return made


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise PolicyError([Problem(str(path), f"the name lookup cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(str(path), f"the name lookup is not UTF-8 at byte {error.start}")]) from None
    lines = text.splitlines()
    first = lines[0] if lines else ""
    delimiter = next((d for d in _DELIMITERS if d in first), ",")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    made: dict[str, str] = {}
    problems: list[Problem] = []
    try:
        for number in itertools.count():
            row = next(reader, None)
            if row is None:
                break
            where = f"{path}:{reader.line_num}"
            if not row or (number == 0 and tuple(c.strip().lower() for c in row) == HEADER):
                continue
            if len(row) != 2 or not all(c.strip() for c in row):
                problems.append(Problem(where, "a line of a name lookup is a name and its replacement"))
                continue
            _add(made, row[0].strip(), row[1].strip(), where, problems)
    except csv.Error as error:
        problems.append(Problem(f"{path}:{reader.line_num}", f"is not CSV: {error}"))
    if not made and not problems:
        problems.append(Problem(str(path), "the name lookup is empty"))
    if problems:
        raise PolicyError(problems)
    return made


def _add(made: dict[str, str], name: Any, other: Any, where: str, problems: list[Problem]) -> None:
    if not isinstance(name, str) or not isinstance(other, str) or not name or not other:
        problems.append(Problem(where, "a name and its replacement must be texts"))
        return
    key, value = dictionary_key(name), dictionary_key(other)
    if made.setdefault(key, value) != value:
        problems.append(
            Problem(where, "gives a name a second replacement", "names are upper-cased before they are looked up")
        )


def write_dictionary(dictionary: Mapping[str, str], path: Path) -> None:
    """Write a dictionary as CSV, sorted by name; the file appears complete or not at all. Raises UsageError."""
    from dbmask.anonymizer.atomic import writing

    with writing(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(sorted(dictionary.items()))
