"""Known names and places, by language; the Czech ones in all their cases."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from dbmask.masks._names import builtin
from dbmask.ner.czech import name_forms, place_forms
from dbmask.ner.language import LANGUAGES

__all__ = ["PLACES", "Gazetteer", "entries", "gazetteer"]

PLACES = ("countries", "places", "cities")
"""The lists of places: countries; regions and towns of the world; towns of the language's own countries."""


@cache
def entries(name: str) -> tuple[str, ...]:
    """One list: first_LANG and last_LANG (names, those of :mod:`dbmask.masks`), countries_LANG, places_LANG or cities_LANG."""
    kind, code = name.split("_")
    if kind in ("first", "last"):
        table = builtin(code, kind)
        return tuple(dict.fromkeys(n for part in (table.groups, table.known) for names in part.values() for n in names))
    return tuple((files("dbmask.ner") / "data" / f"{name}.txt").read_text("utf-8").split("\n")[:-1])


class Gazetteer:
    """The names and places of some languages."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.first: set[str] = set()
        self.last: set[str] = set()
        self.places: set[str] = set()
        # People move: names of every language are looked for, places only by their names in these.
        for code in LANGUAGES:
            self.first.update(entries(f"first_{code}"))
            self.last.update(entries(f"last_{code}"))
        for code in codes:
            first, last = entries(f"first_{code}"), entries(f"last_{code}")
            cities = [word for kind in PLACES for word in entries(f"{kind}_{code}")]
            if code == "cs":
                self.first.update(form for name in first for form in name_forms(name))
                self.last.update(form for name in last for form in name_forms(name))
                self.places.update(form for name in cities for form in place_forms(name))
            else:
                self.places.update(cities)
        # A town called after a person is a person first, unless it is a place that everybody knows.
        known = {name for code in codes for kind in PLACES[:2] for name in entries(f"{kind}_{code}")}
        self.places -= (self.first | self.last) - known
        self.longest = max((name.count(" ") + 1 for name in self.places), default=1)

    def is_name(self, word: str) -> bool:
        """Whether a word, or both parts of a hyphenated one, is a known first or last name."""
        if word.isupper():
            word = word.title()
        if word in self.first or word in self.last:
            return True
        parts = word.split("-")
        return len(parts) > 1 and any(p in self.first or p in self.last for p in parts)


@cache
def gazetteer(codes: tuple[str, ...]) -> Gazetteer:
    """The gazetteer of these languages, made once."""
    return Gazetteer(codes)
