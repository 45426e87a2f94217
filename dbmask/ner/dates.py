"""Dates and times in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from dbmask.ner.entities import EntityLabel, Raw
from dbmask.ner.language import language

__all__ = ["dates_and_times"]

_NUMERIC = re.compile(
    r"(?<![\w.,/-])(?:"
    r"(?P<y>\d{4})(?P<s1>[-/.])(?P<m>\d{1,2})(?P=s1)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<s2>[-/.])\s?(?P<b>\d{1,2})(?P=s2)\s?(?P<c>\d{4}|(?<=[-/])\d{2})"
    r")(?=T\d|(?![\w/-]|[.,]\d))(?:T(?=\d))?"
)
_CLOCK = re.compile(r"(?<![\w.:,-])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,6})?)?(?![\w:]|[.,]\d)(?:Z\b)?")
_ISO_TIME = re.compile(r"(?<=\d-\d\dT)\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_MODAL = re.compile(r"\b(?:may|march|mar)\b")
_YEAR = re.compile(r"\d{4}")


@cache
def _patterns(code: str) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    def compiled(patterns: tuple[str, ...]) -> list[re.Pattern[str]]:
        return [re.compile(rf"(?<![\w.,/:]){p}", re.I) for p in patterns]

    known = language(code)
    return compiled(known.dates), compiled(known.times)


def dates_and_times(text: str, codes: Sequence[str]) -> Iterator[Raw]:
    """Every date and time, in the forms of these languages and in those of all."""
    for match in _NUMERIC.finditer(text):
        if _calendar(match):
            yield Raw(match.start(), match.end(), EntityLabel.DATE, 0.95, "dates")
    for pattern in (_CLOCK, _ISO_TIME):
        for match in pattern.finditer(text):
            yield Raw(match.start(), match.end(), EntityLabel.TIME, 0.9, "dates")
    for code in codes:
        dates, times = _patterns(code)
        for pattern in dates:
            for match in pattern.finditer(text):
                # "may" and "march" are verbs too, unless a year stands behind them.
                if code == "en" and _MODAL.search(match[0]) and not _YEAR.search(match[0]):
                    continue
                yield Raw(match.start(), match.end(), EntityLabel.DATE, 0.95, "dates")
        for pattern in times:
            for match in pattern.finditer(text):
                yield Raw(match.start(), match.end(), EntityLabel.TIME, 0.9, "dates")


def _calendar(match: re.Match[str]) -> bool:
    """Whether the numbers can be a day and a month, in either order."""
    if match["y"]:
        year, first, second = int(match["y"]), int(match["m"]), int(match["d"])
    else:
        first, second, year = int(match["a"]), int(match["b"]), int(match["c"])
    if not (1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12):
        return False
    return year < 100 or 1000 <= year <= 2999
