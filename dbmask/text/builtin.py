"""Lists of words that come with the package, for ``seed_file: builtin:NAME``: first_names_en, last_names_cs, cities_fr ...

Without a language a name stands for the lists of all.
"""

from __future__ import annotations

from dbmask.ner.gazetteer import PLACES, entries
from dbmask.ner.language import LANGUAGES

__all__ = ["builtin_list", "builtin_names"]

_KINDS: dict[str, tuple[str, ...]] = {
    "first_names": ("first",),
    "last_names": ("last",),
    "cities": ("cities",),
    "countries": ("countries",),
    "places": PLACES,
}


def builtin_names() -> list[str]:
    """The names of all lists."""
    return sorted([*_KINDS, *(f"{kind}_{code}" for kind in _KINDS for code in LANGUAGES)])


def builtin_list(name: str) -> tuple[str, ...] | None:
    """The entries of a list, or None where there is none of this name."""
    if name not in builtin_names():
        return None
    kind, codes = (name, LANGUAGES) if name in _KINDS else (name[:-3], (name[-2:],))
    return tuple(dict.fromkeys(word for part in _KINDS[kind] for code in codes for word in entries(f"{part}_{code}")))
