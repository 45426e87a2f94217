"""Words of lists in texts: Aho-Corasick over a whole batch at once.

Every occurrence of every entry counts, also those that overlap: where a filter rejects a long entry, a shorter one
within it must still be found. Whole words are found by the automaton itself: entries and texts are mapped so that
all that is no part of a word is a space, and an entry carries a space at each edge that must be a word's. A character
is one byte to the automaton; those beyond ASCII share bytes, so what they match is compared with the text itself.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.text.batch import Batch, Found
from dbmask.text.config import SeedFile
from dbmask.text.filters import Filters, whole_words_only
from dbmask.text.fold import clean, clean_bytes, edges_bytes, fold, fold_bytes, is_word, split_bytes
from dbmask.text.patterns import require

__all__ = ["SeedFinder", "variants"]

_WINDOW = 1 << 21
"""Longer texts are searched in pieces of so many characters, so that no list of all matches is held."""


def variants(entry: str) -> tuple[str, ...]:
    """An entry without surrounding space, composed and decomposed; nothing where it is blank."""
    entry = clean(entry).strip()
    if entry.isascii():
        return (entry,) if entry else ()
    forms = (entry, unicodedata.normalize("NFC", entry), unicodedata.normalize("NFD", entry))
    return tuple(dict.fromkeys(forms))


_Entry = tuple[str, int, int, int]
"""What to compare the text with where the pattern says too little, how far start and end are off, and the rule's rank."""


@dataclass
class _Index:
    """One automaton for all rules that compare alike. ``entries`` holds what each pattern stands for; ``sole``, by
    pattern, its one entry where a match of the pattern is a match of it, and nothing else need be asked."""

    whole: bool
    sensitive: bool
    patterns: dict[bytes, int] = field(default_factory=dict)
    entries: list[list[_Entry]] = field(default_factory=list)
    sole: list[tuple[int, int, int] | None] = field(default_factory=list)
    automaton: Any = None
    _longest: int = 0

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
                mapped = self._bytes(compared)
                check = compared if not mapped.isascii() or (self.whole and b" " in mapped) or "\n" in compared else ""
                shift = int(self.whole)  # the space before the first text
                item = (check, left - shift, right + shift, rank)
                if item not in self.entries[at]:
                    self.entries[at].append(item)

    @property
    def _bytes(self) -> Callable[[str], bytes]:
        if self.whole:
            return split_bytes if self.sensitive else edges_bytes
        return clean_bytes if self.sensitive else fold_bytes

    def _pattern(self, compared: str) -> tuple[bytes, int, int]:
        mapped = self._bytes(compared)
        if not self.whole:
            return mapped, 0, 0
        left, right = is_word(compared[0]), is_word(compared[-1])
        return b" " * left + mapped + b" " * right, int(left), int(right)

    def build(self, filtered: Container[int]) -> None:
        """Make the automaton; ``filtered`` are the ranks of rules whose matches are not taken as they are."""
        for items in self.entries:
            check, left, right, rank = items[0]
            self.sole.append((left, right, rank) if len(items) == 1 and not check and rank not in filtered else None)
        library = require("ahocorasick_rs")
        self.automaton = library.BytesAhoCorasick(
            list(self.patterns),
            matchkind=library.MatchKind.Standard,
            implementation=library.Implementation.ContiguousNFA,
        )
        self._longest = max(map(len, self.patterns), default=0)

    def is_there(self, check: str, found: str) -> bool:
        """Whether a stretch of a text is what a pattern stands for."""
        return (found if self.sensitive else fold(found)) == check

    def matches(self, batch: Batch, found: Found) -> Iterable[tuple[int, int, int]]:
        """(pattern, start, end) of every occurrence in the joined text, in the order of the ends; ``found`` is where they go."""
        haystack = self._bytes(batch.joined)
        if self.whole:
            haystack = b" " + haystack
        if len(haystack) <= _WINDOW:
            made: list[tuple[int, int, int]] = self.automaton.find_matches_as_indexes(haystack, overlapping=True)
            return made
        return self._windows(haystack, found)

    def _windows(self, haystack: bytes, found: Found) -> Iterator[tuple[int, int, int]]:
        """The same for a long text, piece by piece: each match belongs to the piece in which it ends."""
        for begin in range(0, len(haystack), _WINDOW):
            base = max(0, begin - self._longest)
            piece = haystack[base : begin + _WINDOW]
            for pattern, start, end in self.automaton.find_matches_as_indexes(piece, overlapping=True):
                if end + base > begin:
                    yield pattern, start + base, end + base
            found.check()


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
            index.build(self._filters)

    def find(self, batch: Batch) -> Found:
        """Search all texts in one pass for each way of comparing."""
        found = Found()
        for index in self._indexes:
            self._search(index, batch, found)
        return found

    def _search(self, index: _Index, batch: Batch, found: Found) -> None:
        sole, add = index.sole, found.hits.append
        for pattern, start, end in index.matches(batch, found):
            only = sole[pattern]
            if only is not None:
                left, right, rank = only
                add((start + left, right - end, rank))
            else:
                for check, left, right, rank in index.entries[pattern]:
                    self._examine(index, check, (start + left, end - right, rank), batch, found)

    def _examine(self, index: _Index, check: str, match: tuple[int, int, int], batch: Batch, found: Found) -> None:
        start, end, rank = match
        if check and not index.is_there(check, batch.joined[start:end]):
            return
        filters = self._filters.get(rank)
        if filters is None and "\n" not in check:
            found.hits.append((start, -end, rank))
            return
        text = bisect_right(batch.starts, start) - 1
        base = batch.starts[text]
        if end >= batch.starts[text + 1]:
            return  # over the line feed between two texts
        if filters is None:
            found.hits.append((start, -end, rank))
        else:
            filtered(filters, batch, text, start - base, end - base, rank, found)


def filtered(filters: Filters, batch: Batch, index: int, start: int, end: int, rank: int, found: Found) -> None:
    """Note one match in the text at ``index``, with its filters applied."""
    if not filters.idle:
        text = batch.clean[index]
        why = filters.why_not(text, start, end)
        if why:
            found.rejected.append(((index, start, -end, rank), why))
            return
        start, end = filters.extended(text, start, end)
    base = batch.starts[index]
    found.hits.append((base + start, -base - end, rank))
