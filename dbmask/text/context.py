"""Values of the row's other columns in its text: literals, different ones for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dbmask.text.batch import Batch, Found
from dbmask.text.config import ContextSource
from dbmask.text.filters import Filters
from dbmask.text.fold import fold
from dbmask.text.words import filtered, variants

__all__ = ["ContextFinder"]


@dataclass(frozen=True)
class _Source:
    rank: int
    rule: ContextSource
    filters: Filters
    text_of: Callable[[Any], str]
    forms: Callable[[str], Sequence[str]]


class ContextFinder:
    """All ``context_sources`` rules. ``rules`` are (rank, rule, canonical text of a value of its column)."""

    name = "context_sources"

    def __init__(self, rules: Sequence[tuple[int, ContextSource, Callable[[Any], str]]]) -> None:
        self._sources = [
            _Source(rank, rule, Filters(rule.context_filters), text_of, _forms(rule)) for rank, rule, text_of in rules
        ]

    def find(self, batch: Batch) -> Found:
        """Search each text for the values of its own row."""
        found = Found()
        for source in self._sources:
            texts = batch.clean if source.rule.case_sensitive else batch.folded
            for i, value in enumerate(batch.rows[source.rule.column]):
                if value is not None:
                    plain = source.text_of(value).strip()
                    for form in source.forms(plain):
                        lemma = plain if source.rule.inflect and form != plain else ""
                        self._occurrences(source, form, lemma, texts[i], batch, i, found)
        return found

    def _occurrences(
        self, source: _Source, form: str, lemma: str, compared: str, batch: Batch, index: int, found: Found
    ) -> None:
        wanted = form if source.rule.case_sensitive else fold(form)
        at = compared.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if lemma:
                found.lemmas[index, at, end] = lemma
            if source.filters.idle:
                found.hits.append((index, at, -end, source.rank))
            else:
                filtered(source.filters, batch.clean[index], index, at, end, source.rank, found)
            at = compared.find(wanted, at + 1)


def _forms(rule: ContextSource) -> Callable[[str], Sequence[str]]:
    if rule.inflect == "cs":
        from dbmask.text.czech import inflected

        return lambda value: tuple(dict.fromkeys(f for form in inflected(value) for f in variants(form)))
    return variants
