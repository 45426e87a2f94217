"""Czech declension, as far as names and places need it: the forms that a nominative may take.

Forms that do not exist do no harm where they are only looked up, so the rules err on the side of too many.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["name_cases", "name_forms", "place_forms"]

_CASES = ("gen", "dat", "acc", "voc", "loc", "ins")
_SOFT = "cčďjňřšťž"

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
    return {name, *(form for forms in name_cases(name).values() for form in forms)}


def name_cases(name: str) -> dict[str, tuple[str, ...]]:
    """The forms of a name by case (gen, dat, acc, voc, loc, ins); the first is the commonest. Empty for one that keeps its form.

    Where an ending leaves the gender open (Jana, Svoboda), the feminine form comes first.
    """
    last, stem = name[-1:], name[:-1]
    if last == "á":
        return _cases(stem, "é", "é", "ou", "á", "é", "ou")
    if last == "ý":
        return _cases(stem, "ého", "ému", "ého", "ý", "ém", "ým")
    if last == "í":
        return _cases(name, "ho", "mu", "ho", "", "m", "m")
    if last == "a":
        soft = stem[-1:] in _SOFT
        dative = (stem + "i" if soft else _dative_e(stem), stem + "ovi")
        made = _cases(stem, "i" if soft else "y", "", "u", "o", "", "ou")
        return {**made, "dat": dative, "loc": dative}
    if last in "eě" and name:
        return _cases(stem, last, "i", "i", last, "i", "í")
    if last == "o":
        return _cases(stem, "a", "ovi", "a", "o", "ovi", "em")
    if last in "iy" and name:
        return _cases(name, "ho", "mu", "ho", "", "m", "m")
    return _masculine(name) if name and last.lower() not in _VOWELS else {}


def _cases(stem: str, *endings: str) -> dict[str, tuple[str, ...]]:
    return {case: (stem + ending,) for case, ending in zip(_CASES, endings, strict=True)}


def _masculine(name: str) -> dict[str, tuple[str, ...]]:
    """Names that end in a consonant. Many are women's too, who keep them: the nominative is always among what is looked for."""
    stem = _without_e(name) or name
    soft = name[-1] in _SOFT
    gen, dat = ("e", ("ovi", "i")) if soft else ("a", ("ovi", "u"))
    voc = "i" if soft else "u" if name[-1] in "kgh" else "e"
    datives = tuple(stem + e for e in dat)
    return {
        "gen": (stem + gen,),
        "dat": datives,
        "acc": (stem + gen,),
        "voc": (stem + voc,),
        "loc": datives,
        "ins": (stem + "em",),
    }


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
