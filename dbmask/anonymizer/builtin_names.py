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
from dbmask.anonymizer.surnames import feminine_forms
from dbmask.keys import ColumnKey

__all__ = ["LOCALES", "builtin_dictionary"]

LOCALES = ("cs", "en", "fr")
_GENDERS = ("m", "f", "n")
_COMMON_CZECH = """
Novák Svoboda Novotný Dvořák Černý Procházka Kučera Veselý Horák Němec Marek Pospíšil Pokorný Hájek Král Jelínek Růžička
Beneš Fiala Sedláček Doležal Zeman Kolář Navrátil Čermák Urban Vaněk Blažek Kříž Kovář Kratochvíl Bartoš Vlček Polák
Kopecký Musil Šimek Konečný Malý Čech Štěpánek Staněk Holub Dostál Soukup Šťastný Mareš Moravec Sýkora Tichý Vávra
Matoušek Bláha Říha Ševčík Bureš Hruška Mašek Pavlík Dušek Janda Havlíček Hrubý Liška Valenta Beran Toman Tůma
"""
"""The commonest Czech surnames, a third of which the lists do not have."""


def builtin_dictionary(locale: str, key: ColumnKey) -> dict[str, str]:
    """The dictionary of a locale under a key."""
    text = files("dbmask.masks").joinpath("data", f"names_{locale}.json").read_text("utf-8")
    tables: dict[str, dict[str, list[str]]] = json.loads(text)
    rows = [row for usage, groups in tables.items() for row in _rows(usage, groups)]
    rows += _common_czech() if locale == "cs" else ()
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


def _common_czech() -> Iterator[NameRow]:
    for name in _COMMON_CZECH.split():
        feminine = feminine_forms(dictionary_key(name))[0]
        yield NameRow(name, None, "m", "last", feminine)
        yield NameRow(feminine, None, "f", "last", name)


def _add_known(made: dict[str, str], names: Sequence[str], choices: Sequence[str], key: ColumnKey) -> None:
    for name in names:
        known = dictionary_key(name)
        if choices and known not in made and [word for word, _ in tokens(known)] == [True]:
            made[known] = choices[int.from_bytes(key.prf(known.encode())[:8], "big") % len(choices)]
