"""Czech declension, as far as names and places need it: the forms that a nominative may take.

Forms that do not exist do no harm where they are only looked up, so the rules err on the side of too many.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["name_forms", "place_forms"]

_SOFTER = {"k": "c", "h": "z", "g": "z", "r": "ř", "ch": "š"}
_HARD_E = "bdfmnptv"
_VOWELS = "aáeéěiíoóuúůyý"


def _dative_e(stem: str) -> str:
    """The stem with the ending -e or -ě of the third and sixth case."""
    if stem.endswith("ch"):
        return stem[:-2] + "še"
    last = stem[-1:]
    if last in _SOFTER:
        return stem[:-1] + _SOFTER[last] + "e"
    return stem + ("ě" if last in _HARD_E else "e")


def name_forms(name: str) -> set[str]:
    """The forms of a first or last name, the nominative among them."""
    return {name, *_name_forms(name)}


def _name_forms(name: str) -> Iterator[str]:
    last = name[-1:]
    stem = name[:-1]
    if name.endswith("á"):
        yield from (stem + e for e in ("é", "ou"))
    elif last == "ý":
        yield from (stem + e for e in ("ého", "ému", "ém", "ým"))
    elif last == "í":
        yield from (name + e for e in ("ho", "mu", "m"))
    elif last == "a":
        yield from (stem + e for e in ("y", "u", "o", "ou", "ovi", "i", "e"))
        yield _dative_e(stem)
    elif last in "eě":
        yield from (stem + e for e in ("i", "í", "ete", "eti", "em", "ovi"))
    elif last == "o":
        yield from (stem + e for e in ("a", "ovi", "u", "em"))
    elif last == "u" or last in "iy":
        yield from (name + e for e in ("ho", "mu", "m"))
    elif last and last not in _VOWELS:
        yield from (name + e for e in ("a", "u", "ovi", "em", "e", "i", "ův"))
        shorter = _without_e(name)
        if shorter:
            yield from (shorter + e for e in ("a", "u", "ovi", "em", "e", "i", "ův"))


def _without_e(name: str) -> str:
    """Pavel -> Pavl, Marek -> Mark, Zdeněk -> Zdeňk; empty where no vowel is lost."""
    if len(name) > 3 and name[-2] in "eě" and name[-1] in "lkc" and name[-3] not in _VOWELS:
        soft = {"n": "ň", "d": "ď", "t": "ť"}.get(name[-3], name[-3]) if name[-2] == "ě" else name[-3]
        return name[:-3] + soft + name[-1]
    return ""


def place_forms(name: str) -> set[str]:
    """The forms of a place; of several words each, so that unusual combinations are known too."""
    first, *rest = name.split(" ")
    forms = {first, *_place_word(first)}
    for i, word in enumerate(rest):
        # What follows a preposition ("nad Labem") keeps its form.
        fixed = i > 0 or word in ("nad", "pod", "u", "ve", "v", "na")
        options = {word} if fixed else {word, *_place_word(word)}
        forms = {f"{a} {b}" for a in forms for b in options}
    return forms


def _place_word(name: str) -> Iterator[str]:
    last, stem = name[-1:], name[:-1]
    if name.endswith("ice"):
        yield from (stem + e for e in ("", "ím", "ích", "emi"))
    elif last == "a":
        yield from (stem + e for e in ("y", "u", "o", "ou"))
        yield _dative_e(stem)
    elif last == "o":
        yield from (stem + e for e in ("a", "u", "em"))
        yield _dative_e(stem)
    elif last in "eě":
        yield from (stem + e for e in ("i", "í", "e"))
    elif last == "y":
        yield from (stem + e for e in ("", "ů", "ám", "ách", "ami"))
    elif last in "áýé":
        yield from (stem + e for e in ("é", "ou", "ého", "ému", "ém", "ým", "ých", "ými"))
    elif last == "í":
        yield from (name + e for e in ("ho", "mu", "m"))
    elif last == "ň" or last == "ť":
        hard = stem + {"ň": "n", "ť": "t"}[last]
        yield from (hard + e for e in ("ě", "i", "í"))
        if len(stem) > 2 and stem[-1] == "e":  # Plzeň -> Plzně
            yield from (stem[:-1] + hard[-1] + e for e in ("ě", "i", "í"))
    elif last and last not in _VOWELS:
        yield from (name + e for e in ("a", "u", "e", "em", "ě", "i"))
        if name.endswith("ec"):
            yield from (name[:-2] + "c" + e for e in ("e", "i", "em"))
