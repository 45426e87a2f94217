"""Dictionaries of the package's own lists."""

from __future__ import annotations

import pytest

from dbmask.anonymizer import Anonymizer
from dbmask.anonymizer.builtin_names import LOCALES, builtin_dictionary
from dbmask.anonymizer.names import dictionary_key
from dbmask.anonymizer.surnames import feminine_forms
from dbmask.masks._names import builtin
from dbmask.masks.build import example_keys

KEY = example_keys().column("anonymizer").sub("names")


@pytest.mark.parametrize("locale", LOCALES)
def test_names_become_others(locale: str) -> None:
    made = builtin_dictionary(locale, KEY)
    assert len(made) > 3_000
    assert all(name != other for name, other in made.items())
    assert all(name == name.upper() for name in (*made, *made.values()))
    own = set(made.values())
    assert own <= set(made)
    assert len({made[n] for n in own}) == len(own)  # the locale's own names go round among themselves
    assert made == builtin_dictionary(locale, KEY)
    other = builtin_dictionary(locale, KEY.sub("another"))
    assert sum(other[n] == m for n, m in made.items()) < 0.1 * len(made)


def test_czech_surnames_keep_their_gender_and_move_in_pairs() -> None:
    made = builtin_dictionary("cs", KEY)
    for man in ("NOVÁK", "SVOBODA", "NOVOTNÝ", "DVOŘÁK", "ČERNÝ", "KUČERA", "RŮŽIČKA"):
        woman = feminine_forms(man)[0]
        assert made[woman] in feminine_forms(made[man])


def test_first_names_keep_their_gender() -> None:
    for locale in LOCALES:
        made, table = builtin_dictionary(locale, KEY), builtin(locale, "first")
        for gender in ("m", "f"):
            own = {dictionary_key(n) for n in table.groups[gender]} & made.keys()
            surnames = own - {made[n] for n in own}  # names that are surnames too move among such
            known = {dictionary_key(n) for n in table.known[gender]} & made.keys() - set(made.values())
            assert len(surnames) < 0.2 * len(own)
            assert {made[n] for n in known} <= own
    masker = Anonymizer("1901-01-01", "2008-04-23", nameLookupFileName="builtin:cs", key=bytes(range(32)))
    [row] = masker.apply([{"firstName": "Jana", "lastName": "Nováková"}])
    assert row["flags"] == []
    assert row["lastName"].endswith("á")
