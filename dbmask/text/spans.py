"""Spans of a text, and how overlapping ones become one.

What matchers find is a :data:`Hit`: a plain tuple whose natural order is the order in which labels win, because
there may be millions of them. What callers see is a :class:`Span`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Hit", "Part", "Place", "Span", "merge"]

Hit = tuple[int, int, int]
"""(start, -end, rank). Sorted, the first of an overlapping group has the left-most start, then the greatest length,
then the lowest rank; ``rank`` counts rules by matcher priority and order of declaration."""

Place = tuple[int, int, int]
"""(start, end, rank) of what hits were merged to."""


class Span(NamedTuple):
    """One masked stretch of a text: offsets are code points, ``end`` exclusive; ``matcher`` gave the label."""

    start: int
    end: int
    label: str
    matcher: str


class Part(NamedTuple):
    """What one rule found: the stretch, its label and matcher, and the rule in a few words."""

    start: int
    end: int
    label: str
    matcher: str
    why: str


def merge(hits: Iterable[Hit]) -> list[Place]:
    """Join overlapping hits, transitively, into (start, end, rank); those that only touch stay apart.

    >>> merge([(0, -4, 2), (2, -7, 1), (7, -9, 0)])
    [(0, 7, 2), (7, 9, 0)]
    """
    made: list[Place] = []
    add = made.append
    start, end, rank = -1, -1, -1
    for begin, negative, by in sorted(hits):
        if begin < end:
            if -negative > end:
                end = -negative
            continue
        if end >= 0:
            add((start, end, rank))
        start, end, rank = begin, -negative, by
    if end >= 0:
        add((start, end, rank))
    return made
