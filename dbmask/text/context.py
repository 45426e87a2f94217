"""Values of the row's other columns in its text: literals, different ones for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from dbmask.text.batch import Batch, Found
from dbmask.text.beside import Beside
from dbmask.text.config import ContextSource
from dbmask.text.filters import Filters
from dbmask.text.fold import fold
from dbmask.text.words import filtered, variants

__all__ = ["ContextFinder"]


_REMEMBERED = 1 << 16
"""So many values of a column are kept with what to look for: names come again and again."""

_Wanted = tuple[tuple[str, str], ...]
"""What to look for, and the value of which it is an inflected form."""


@dataclass(frozen=True)
class _Source:
    rank: int
    rule: ContextSource
    filters: Filters
    beside: Beside
    wanted: Callable[[str], _Wanted]


class ContextFinder:
    """All ``context_sources`` rules. ``rules`` are (rank, rule, what it reads beside the text)."""

    name = "context_sources"

    def __init__(self, rules: Sequence[tuple[int, ContextSource, Beside]]) -> None:
        self._sources = [
            _Source(rank, rule, Filters(rule.context_filters), beside, _wanted(rule)) for rank, rule, beside in rules
        ]

    def find(self, batch: Batch) -> Found:
        """Search each text for the values of its own row."""
        found = Found()
        for source in self._sources:
            texts = batch.clean if source.rule.case_sensitive else batch.folded
            wanted, texts_of = source.wanted, source.beside.texts
            for i, value in enumerate(batch.rows[source.beside.column]):
                if value is not None:
                    for form, lemma in chain.from_iterable(map(wanted, texts_of(value))):
                        if form in texts[i]:
                            _occurrences(source, form, lemma, texts[i], batch, i, found)
        return found


def _occurrences(source: _Source, form: str, lemma: str, compared: str, batch: Batch, index: int, found: Found) -> None:
    at, base = compared.find(form), batch.starts[index]
    while at >= 0:
        end = at + len(form)
        if lemma:
            found.lemmas[base + at, base + end] = lemma
        filtered(source.filters, batch, index, at, end, source.rank, found)
        at = compared.find(form, at + 1)


def _wanted(rule: ContextSource) -> Callable[[str], _Wanted]:
    """The function from a value to what is looked for in texts that are folded, or clean where capitals count."""

    def forms(value: str) -> _Wanted:
        value = value.strip()
        if rule.inflect == "cs":
            from dbmask.text.czech import inflected

            pairs = [(form, value if form != value else "") for form in inflected(value)]
        else:
            pairs = [(value, "")]
        made = [(one, lemma) for form, lemma in pairs for one in variants(form)]
        return tuple(dict.fromkeys(made if rule.case_sensitive else [(fold(one), lemma) for one, lemma in made]))

    return lru_cache(_REMEMBERED)(forms)
