"""The forms of a Czech name in a text, and a masked name in the form in which its original was found.

Czech declines names: a note about Jan Novák speaks of "Jana Nováka", "Janu Novákovi" and "s Novákem".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from dbmask.ner.czech import name_cases

__all__ = ["declined_like", "inflected"]

_WORDS = 4
"""So many words of a name are declined."""


def inflected(name: str) -> tuple[str, ...]:
    """All forms of a name, the name itself first; all words of one stand in one case."""
    return tuple(dict.fromkeys([name, *(form for _, form in _forms(name))]))


def declined_like(found: str, source: str, masked: str) -> str:
    """``masked`` in the case in which ``found`` is a form of ``source``; as it is where it has no such form."""
    wanted = found.lower()
    if wanted == source.lower():
        return masked
    case = next((case for case, form in _forms(source) if form.lower() == wanted), None)
    if case is None:
        return masked
    form = _in_case(masked, *case)
    return form.upper() if found.isupper() else form


def _forms(name: str) -> Iterator[tuple[tuple[str, tuple[int, ...]], str]]:
    """((case, which form of each word), the whole name). A word that keeps its form keeps it in every case."""
    known = [name_cases(word) for word in name.split(" ")[:_WORDS]]
    for case in dict.fromkeys(c for cases in known for c in cases):
        for chosen in product(*(range(len(cases.get(case, ("",)))) for cases in known)):
            yield (case, chosen), _in_case(name, case, chosen)


def _in_case(name: str, case: str, chosen: tuple[int, ...]) -> str:
    parts = []
    for i, word in enumerate(name.split(" ")):
        forms = name_cases(word).get(case) or (word,)
        which = chosen[min(i, len(chosen) - 1)]
        parts.append(forms[which] if which < len(forms) else forms[0])
    return " ".join(parts)
