"""Context filters, compiled: first what rejects a match, then what extends it, whatever their order in the policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbmask.text.config import AddPrefix, AddSuffix, ContextFilter, MatchWholeWordsOnly, PatternFilter
from dbmask.text.fold import plain, splits_word
from dbmask.text.patterns import compile_pattern

__all__ = ["Filters", "whole_words_only"]

_Check = Callable[[str, int, int], str]


def whole_words_only(filters: Sequence[ContextFilter]) -> bool:
    """Whether matches inside words are rejected."""
    return any(isinstance(f, MatchWholeWordsOnly) for f in filters)


class Filters:
    """The filters of one rule. ``words`` is False where the matcher itself finds whole words only."""

    def __init__(self, filters: Sequence[ContextFilter], words: bool = True) -> None:
        self._checks: list[_Check] = []
        self._extend: list[tuple[bool, str]] = []
        for item in filters:
            if isinstance(item, MatchWholeWordsOnly):
                if words:
                    self._checks.append(_inside_a_word)
            elif isinstance(item, PatternFilter):
                self._checks.append(_pattern_check(item))
            else:
                self._extend.append((isinstance(item, AddPrefix), _affix(item)))
        self.idle = not self._checks and not self._extend

    def why_not(self, text: str, start: int, end: int) -> str:
        """Why a match is rejected, in a few words; empty where it stands."""
        for check in self._checks:
            reason = check(text, start, end)
            if reason:
                return reason
        return ""

    def extended(self, text: str, start: int, end: int) -> tuple[int, int]:
        """The match with its prefixes and suffixes."""
        for before, affix in self._extend:
            if before and text.endswith(affix, 0, start):
                start -= len(affix)
            elif not before and text.startswith(affix, end):
                end += len(affix)
        return start, end


def _affix(item: AddPrefix | AddSuffix) -> str:
    return item.prefix if isinstance(item, AddPrefix) else item.suffix


def _inside_a_word(text: str, start: int, end: int) -> str:
    return "match_whole_words_only" if splits_word(text, start) or splits_word(text, end) else ""


def _pattern_check(item: PatternFilter) -> _Check:
    pattern = compile_pattern(item.pattern)
    include = item.type == "include_pattern"

    def check(text: str, start: int, end: int) -> str:
        seen = _scope(item, text, start, end)
        found = pattern.search(seen) is not None
        # In doubt a match stands: the ASCII form of a text may only help to include it.
        if include and not found and not seen.isascii():
            found = pattern.search(plain(seen)) is not None
        return item.type if found != include else ""

    return check


def _scope(item: PatternFilter, text: str, start: int, end: int) -> str:
    if item.scope == "match":
        return text[start:end]
    before, after = max(0, start - item.width), end + item.width
    if item.scope == "before":
        return text[before:start]
    return text[end:after] if item.scope == "after" else text[before:after]
