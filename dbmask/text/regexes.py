"""The ``regex`` and ``checksum`` matchers: one pass over a text says which patterns match it at all, and only those run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from dbmask.text.backtrack import BacktrackPattern
from dbmask.text.batch import MOST_HITS, Batch, Found
from dbmask.text.config import Pattern
from dbmask.text.filters import Filters
from dbmask.text.needs import needed
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
        spans = [match.span() for match in islice(self._compiled.finditer(plain), MOST_HITS + 1)]
        if self._wide and len(plain) != len(text.encode()):
            others = islice(self._compiled.finditer(text), MOST_HITS + 1)
            return dict.fromkeys([*spans, *(match.span() for match in others)])
        return spans


class PatternFinder:
    """All rules of one matcher that patterns gate. ``rules`` are (rank, filters, locator)."""

    def __init__(self, name: str, rules: Sequence[tuple[int, Filters, Locator]]) -> None:
        self.name = name
        self._rules = list(rules)
        gates = [locator.gate for _, _, locator in rules]
        self._gates = PatternSet(gates)
        self._hopes = Hopes(gates)
        # Patterns that may match the text as it is, though not in ASCII letters.
        self._wide = [i for i, gate in enumerate(gates) if names_others(gate)]

    def find(self, batch: Batch) -> Found:
        """Search each text with the rules whose gate is open."""
        found = Found()
        matching, hopes, wide = self._gates.matching, self._hopes, self._wide
        joined, starts, texts = batch.joined_plain, batch.starts, batch.texts
        for i, hope in enumerate(hopes.of(joined, starts)):
            if not hope and not wide:
                continue
            plain = joined[starts[i] : starts[i + 1] - 1]
            open_ = matching(plain) if hope else []
            if wide and not texts[i].isascii():
                open_ = sorted({*open_, *wide})
            for at in open_:
                self._search(at, batch, i, plain, found)
        return found

    def _search(self, at: int, batch: Batch, index: int, plain: bytes, found: Found) -> None:
        rank, filters, locator = self._rules[at]
        base = batch.starts[index]
        for start, end in locator.locate(batch.clean[index], plain):
            if start == end:
                continue
            if filters.idle:
                found.hits.append((base + start, -base - end, rank))
            else:
                filtered(filters, batch, index, start, end, rank, found)
        found.check()


class Hopes:
    """Says which texts of a batch have characters that any of some patterns needs: one pass over all of them at once."""

    def __init__(self, patterns: Sequence[str]) -> None:
        needs = [needed(pattern) for pattern in patterns]
        self._always = None in needs
        wanted = b"".join("".join(need).encode("ascii") for need in needs if need)
        self._table = bytes(int(code in wanted) for code in range(256))

    def of(self, joined: bytes, starts: Sequence[int]) -> Sequence[int]:
        """For each text, joined with a line feed behind each, whether any pattern may match; ``starts`` has one item more."""
        if self._always:
            return [1] * (len(starts) - 1)
        wanted = joined.translate(self._table)
        at = wanted.find(1)
        made = [0] * (len(starts) - 1)
        while at >= 0:
            text = bisect_right(starts, at) - 1
            made[text] = 1
            at = wanted.find(1, starts[text + 1])
        return made


def regex_locator(rule: Pattern) -> Locator:
    """The locator of a rule. Raises BindError for a pattern that its engine does not take."""
    return RegexLocator(rule) if rule.engine == "re2" else BacktrackPattern(rule.pattern, rule.time_limit)
