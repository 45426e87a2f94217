"""The ``regex`` and ``checksum`` matchers: one pass over a text says which patterns match it at all, and only those run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from dbmask.text.backtrack import BacktrackPattern
from dbmask.text.batch import Batch, Found
from dbmask.text.config import Pattern
from dbmask.text.filters import Filters
from dbmask.text.patterns import PatternSet, Searcher, compile_pattern, names_others
from dbmask.text.words import filtered

__all__ = ["Locator", "PatternFinder", "RegexLocator", "regex_locator"]


class Locator(Protocol):
    """Something that finds stretches of a text. ``gate`` is a pattern that matches every text in which it may find any."""

    gate: str

    def locate(self, text: str, plain: bytes) -> Iterable[tuple[int, int]]:
        """(start, end) of all it finds; ``plain`` is the text in ASCII letters."""
        ...


class RegexLocator:
    """One pattern on RE2.

    RE2 knows words and digits of ASCII only, so it searches the text in ASCII letters; a pattern that names other
    characters searches the text as it is, too.
    """

    def __init__(self, rule: Pattern) -> None:
        self.gate = rule.pattern
        self._compiled: Searcher = compile_pattern(rule.pattern)
        self._wide = names_others(rule.pattern)

    def locate(self, text: str, plain: bytes) -> Iterable[tuple[int, int]]:
        """All matches, each once."""
        spans = [match.span() for match in self._compiled.finditer(plain)]
        if self._wide and len(plain) != len(text.encode()):
            return dict.fromkeys([*spans, *(match.span() for match in self._compiled.finditer(text))])
        return spans


class PatternFinder:
    """All rules of one matcher that patterns gate. ``rules`` are (rank, filters, locator)."""

    def __init__(self, name: str, rules: Sequence[tuple[int, Filters, Locator]]) -> None:
        self.name = name
        self._rules = list(rules)
        self._gates = PatternSet([locator.gate for _, _, locator in rules])
        # Patterns that may match the text as it is, though not in ASCII letters.
        self._wide = [i for i, (_, _, locator) in enumerate(rules) if names_others(locator.gate)]

    def find(self, batch: Batch) -> Found:
        """Search each text with the rules whose gate is open."""
        found = Found()
        matching, rules, add = self._gates.matching, self._rules, found.hits.append
        texts = batch.clean
        for i, plain in enumerate(batch.plain):
            open_ = matching(plain)
            if self._wide and not texts[i].isascii():
                open_ = sorted({*open_, *self._wide})
            for at in open_:
                rank, filters, locator = rules[at]
                for start, end in locator.locate(texts[i], plain):
                    if start == end:
                        continue
                    if filters.idle:
                        add((i, start, -end, rank))
                    else:
                        filtered(filters, texts[i], i, start, end, rank, found)
        return found


def regex_locator(rule: Pattern) -> Locator:
    """The locator of a rule. Raises BindError for a pattern that its engine does not take."""
    return RegexLocator(rule) if rule.engine == "re2" else BacktrackPattern(rule.pattern, rule.time_limit)
