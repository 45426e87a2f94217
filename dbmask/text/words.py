"""Words of lists in texts: Aho-Corasick over a whole batch at once.

Every occurrence of every entry counts, also those that overlap: where a filter rejects a long entry, a shorter one
within it must still be found. Whole words are found by the automaton itself: entries and texts are mapped so that
all that is no part of a word is a space, and an entry carries a space at each edge that must be a word's.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.text.batch import Batch, Found
from dbmask.text.config import SeedFile
from dbmask.text.filters import Filters, whole_words_only
from dbmask.text.fold import clean, edges, fold, is_word, split
from dbmask.text.patterns import require

__all__ = ["SeedFinder", "variants"]


def variants(entry: str) -> tuple[str, ...]:
    """An entry without surrounding space, composed and decomposed; nothing where it is blank."""
    entry = clean(entry).strip()
    if entry.isascii():
        return (entry,) if entry else ()
    forms = (entry, unicodedata.normalize("NFC", entry), unicodedata.normalize("NFD", entry))
    return tuple(dict.fromkeys(forms))


@dataclass
class _Index:
    """One automaton for all rules that compare alike. ``entries`` holds, by pattern: what to compare the text with
    where the pattern says too little, how far start and end are off, and the rule's rank."""

    whole: bool
    sensitive: bool
    patterns: dict[str, int] = field(default_factory=dict)
    entries: list[list[tuple[str, int, int, int]]] = field(default_factory=list)
    automaton: Any = None

    def add(self, words: Iterable[str], rank: int) -> None:
        """Note a rule's words."""
        for word in words:
            for form in variants(word):
                compared = form if self.sensitive else fold(form)
                pattern, left, right = self._pattern(compared)
                at = self.patterns.setdefault(pattern, len(self.patterns))
                if at == len(self.entries):
                    self.entries.append([])
                # A pattern that mapping made ambiguous is compared with the text itself.
                check = compared if self.whole and " " in self._mapped(compared) else ""
                shift = int(self.whole)  # the space before the first text
                item = (check, left - shift, -right - shift, rank)
                if item not in self.entries[at]:
                    self.entries[at].append(item)

    def _mapped(self, compared: str) -> str:
        return split(compared) if self.sensitive else edges(compared)

    def _pattern(self, compared: str) -> tuple[str, int, int]:
        if not self.whole:
            return compared, 0, 0
        left, right = is_word(compared[0]), is_word(compared[-1])
        return " " * left + self._mapped(compared) + " " * right, int(left), int(right)

    def build(self) -> None:
        """Make the automaton."""
        library = require("ahocorasick_rs")
        self.automaton = library.AhoCorasick(
            list(self.patterns),
            matchkind=library.MatchKind.Standard,
            implementation=library.Implementation.ContiguousNFA,
            store_patterns=False,
        )

    def is_there(self, check: str, batch: Batch, start: int, end: int) -> bool:
        """Whether a stretch of the joined text is what a pattern stands for."""
        found = batch.joined[start:end]
        return (found if self.sensitive else fold(found)) == check

    def matches(self, batch: Batch) -> list[tuple[int, int, int]]:
        """(pattern, start, end) of every occurrence, in the order of the ends, in the joined text."""
        if self.whole:
            haystack = " " + (split if self.sensitive else edges)(batch.joined)
        else:
            haystack = batch.joined if self.sensitive else batch.joined_folded
        found: list[tuple[int, int, int]] = self.automaton.find_matches_as_indexes(haystack, overlapping=True)
        return found


class SeedFinder:
    """All ``seed_files`` rules of a text. ``rules`` are (rank, rule, its words)."""

    name = "seed_files"

    def __init__(self, rules: Sequence[tuple[int, SeedFile, Sequence[str]]]) -> None:
        indexes: dict[tuple[bool, bool], _Index] = {}
        self._filters: dict[int, Filters] = {}
        for rank, rule, words in rules:
            kind = (whole_words_only(rule.context_filters), rule.case_sensitive)
            indexes.setdefault(kind, _Index(*kind)).add(words, rank)
            filters = Filters(rule.context_filters, words=False)
            if not filters.idle:
                self._filters[rank] = filters
        self._indexes = list(indexes.values())
        for index in self._indexes:
            index.build()

    def find(self, batch: Batch) -> Found:
        """Search all texts in one pass for each way of comparing."""
        found = Found()
        for index in self._indexes:
            self._search(index, batch, found)
        return found

    def _search(self, index: _Index, batch: Batch, found: Found) -> None:
        starts, filters, entries = batch.starts, self._filters, index.entries
        add = found.hits.append
        text, begin, limit = 0, 0, starts[1]
        for pattern, start, end in index.matches(batch):
            for check, left, right, rank in entries[pattern]:
                at, to = start + left, end + right
                if check and not index.is_there(check, batch, at, to):
                    continue
                if not begin <= at < limit:
                    # Mostly the next text; an earlier one where a long entry ends behind a short one.
                    text = bisect_right(starts, at) - 1
                    begin, limit = starts[text], starts[text + 1]
                if to >= limit:
                    continue  # over the line feed between two texts
                if rank in filters:
                    filtered(filters[rank], batch.clean[text], text, at - begin, to - begin, rank, found)
                else:
                    add((text, at - begin, begin - to, rank))


def filtered(filters: Filters, text: str, index: int, start: int, end: int, rank: int, found: Found) -> None:
    """Note one match with its filters applied."""
    why = filters.why_not(text, start, end)
    if why:
        found.rejected.append((index, start, -end, rank, why))
        return
    start, end = filters.extended(text, start, end)
    found.hits.append((index, start, -end, rank))
