"""Dictionaries made of the package's own lists of names, which know gender and no frequency.

Each group is one keyed cycle, so that a name may become any other of its group. Names that a list knows of other
languages become names of its own language; none becomes one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import zip_longest

from dbmask.anonymizer.name_builder import NameRow, build_names
from dbmask.anonymizer.names import dictionary_key, tokens
from dbmask.keys import ColumnKey

__all__ = ["LOCALES", "builtin_dictionary"]

LOCALES = ("cs", "en", "fr")
_GENDERS = ("m", "f", "n")


def builtin_dictionary(locale: str, key: ColumnKey) -> dict[str, str]:
    """The dictionary of a locale under a key."""
    text = files("dbmask.masks").joinpath("data", f"names_{locale}.json").read_text("utf-8")
    tables: dict[str, dict[str, list[str]]] = json.loads(text)
    rows = [row for usage, groups in tables.items() for row in _rows(usage, groups)]
    made = build_names(rows, key, bin_size=None).dictionary
    for usage, groups in tables.items():
        for gender in _GENDERS:
            choices = sorted(k for n in groups.get(gender, ()) if (k := dictionary_key(n)) in made)
            _add_known(made, groups.get(f"known_{gender}", ()), choices, key.sub(f"known {usage}"))
    return made


def _rows(usage: str, groups: dict[str, list[str]]) -> Iterator[NameRow]:
    """The names of one usage; surnames of two genders stand in pairs."""
    paired = usage == "last" and "f" in groups
    for gender in _GENDERS:
        names: Sequence[str] = groups.get(gender, ())
        partners: Sequence[str] = groups["f"] if paired and gender == "m" else ()
        for name, partner in zip_longest(names, partners):
            yield NameRow(name, None, gender, usage, partner)


def _add_known(made: dict[str, str], names: Sequence[str], choices: Sequence[str], key: ColumnKey) -> None:
    for name in names:
        known = dictionary_key(name)
        if choices and known not in made and [word for word, _ in tokens(known)] == [True]:
            made[known] = choices[int.from_bytes(key.prf(known.encode())[:8], "big") % len(choices)]
