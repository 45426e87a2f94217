"""What the anonymizer says of a row: six flags, their scores and the explanation made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, ClassVar

from dbmask.errors import Problem
from dbmask.masks.base import nearest

__all__ = ["FLAG_NAMES", "Flag", "Scorer", "ScoringEntry", "entry_problems", "flag_names", "read_entries"]


class Flag(IntFlag):
    """What happened to a row, as bits, in the order in which flags are listed."""

    AA_FN_NOT_CHANGED = 1
    AA_LN_NOT_CHANGED = 2
    AA_RC_NOT_CHANGED = 4
    AA_RC_DATE_MISMATCH = 8
    AA_BD_NOT_CHANGED = 16
    AA_RC_CENTURY_GUESS = 32


_ALSO = {"AA_RC_MISMATCH": Flag.AA_RC_DATE_MISMATCH, "AA_RC_CENTURY_GUESSED": Flag.AA_RC_CENTURY_GUESS}
"""Other spellings of the same flags, which a scorer may use."""

FLAG_NAMES: tuple[tuple[str, ...], ...] = tuple(
    tuple(flag.name or "" for flag in Flag if bits & flag) for bits in range(2 ** len(Flag))
)
"""The names of the flags that are set, by the bits of a row."""


def flag_names(bits: int) -> list[str]:
    """The names of the flags in ``bits``.

    >>> flag_names(Flag.AA_RC_NOT_CHANGED | Flag.AA_FN_NOT_CHANGED)
    ['AA_FN_NOT_CHANGED', 'AA_RC_NOT_CHANGED']
    """
    return list(FLAG_NAMES[bits])


@dataclass(frozen=True, kw_only=True)
class ScoringEntry:
    """What one flag adds to a row's score, and the word that explains it where ``explain`` is set (by default its key)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    key: str
    score: int | float = 0
    explainAs: str | None = None
    explain: bool = True

    @property
    def flag(self) -> Flag | None:
        """The flag that the entry is about; None where there is no such flag."""
        return _ALSO.get(self.key) or Flag.__members__.get(self.key)

    @property
    def word(self) -> str:
        """What stands for the flag in an explanation."""
        return self.key if self.explainAs is None else self.explainAs


def read_entries(value: object) -> tuple[list[ScoringEntry], list[Problem]]:
    """Entries from a list of entries or of mappings of their fields, and what could not be read as one."""
    entries: list[ScoringEntry] = []
    problems: list[Problem] = []
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return [], [Problem("scorer", "scorer: expected a list of entries with key, score, explainAs and explain")]
    for i, item in enumerate(value):
        where = f"scorer.{i}"
        if isinstance(item, ScoringEntry):
            entries.append(item)
            continue
        if not isinstance(item, Mapping) or not isinstance(item.get("key"), str):
            problems.append(Problem(where, "scorer: an entry is a mapping with a flag's name as its `key`"))
            continue
        unknown = [k for k in item if k not in _FIELDS]
        problems += [Problem(where, f"scorer: unknown field {k!r}", nearest(str(k), list(_FIELDS))) for k in unknown]
        wrong = [k for k, kind in _FIELDS.items() if k in item and not _is(item[k], kind)]
        problems += [Problem(where, f"scorer: {k} of {item['key']} must be {_SAY[k]}") for k in wrong]
        if not unknown and not wrong:
            entries.append(ScoringEntry(**item))
    return entries, problems


_FIELDS: dict[str, type | tuple[type, ...]] = {"key": str, "score": (int, float), "explainAs": str, "explain": bool}
_SAY = {"key": "a text", "score": "a number", "explainAs": "a text", "explain": "true or false"}


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    finite = not isinstance(value, float) or math.isfinite(value)
    return isinstance(value, kind) and finite and (kind is bool or not isinstance(value, bool))


def entry_problems(entries: Sequence[ScoringEntry]) -> list[Problem]:
    """Entries whose key is no flag."""
    known = [*Flag.__members__, *_ALSO]
    return [
        Problem("", f"scorer: there is no flag {e.key!r}", nearest(e.key, known)) for e in entries if e.flag is None
    ]


class Scorer:
    """Score and explanation for every combination of flags.

    ``scores[bits]`` is the sum over the entries whose flag is set; ``explanations[bits]`` joins their words in the order
    of the entries, separated by a space.
    """

    def __init__(self, entries: Sequence[ScoringEntry]) -> None:
        self.entries = tuple(entries)
        hits = [[e for e in self.entries if bits & (e.flag or 0)] for bits in range(len(FLAG_NAMES))]
        self.scores: list[int | float] = [sum(e.score for e in hit) for hit in hits]
        self.explanations = [" ".join(e.word for e in hit if e.explain) for hit in hits]
