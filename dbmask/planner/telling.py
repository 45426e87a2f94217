"""Which values tell of one person or thing, so that two equal ones are no chance."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Flags = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["LEAST", "long_words", "may_hold", "telling", "telling_among", "with_words", "words"]

LEAST = 8
"""Shorter texts tell of nobody."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?\Z")
_DIGITS = {ord(c): None for c in "0123456789"}
_LETTERS = re.compile(r"[^\W\d_]")
_TOKENS = re.compile(r"[\s,;'\"<>()\[\]{}|=]+")
_LONG = re.compile(r"[^\s,;'\"<>()\[\]{}|=]{" + str(LEAST) + ",}")


def telling(text: str) -> bool:
    """Whether a text is one that two people would hardly have by chance.

    >>> [telling(t) for t in ("Christopher", "ann@shop.example", "+420 601 234 567", "2024-01-31 10:20:30.123456")]
    [False, True, True, False]
    """
    length = len(text)
    if length < LEAST:
        return False
    if "@" in text or (length >= 25 and text.count(" ") >= 3):
        return True
    digits = length - len(text.translate(_DIGITS))
    if digits >= 9:
        return _DAY.match(text) is None
    return digits >= 4 and len(_LETTERS.findall(text)) >= 4


def may_hold(text: str) -> bool:
    """Whether one of the text's words may be telling: quick, and true too often."""
    return "@" in text or len(text) - len(text.translate(_DIGITS)) >= 4


def words(text: str) -> list[str]:
    """The words of a text; none where it is one word itself."""
    found = _TOKENS.split(text)
    return found if len(found) > 1 else []


def long_words(texts: Sequence[str]) -> list[str]:
    """The words of at least :data:`LEAST` characters in texts, which are read as one."""
    return _LONG.findall("\n".join(texts))


def telling_among(texts: Sequence[str]) -> list[str]:
    """Those that :func:`telling` is true of, many at a time; none of them is empty."""
    return _chosen(texts, _telling_flags, telling)


def with_words(texts: Sequence[str]) -> list[str]:
    """Those that may hold a telling word beside others, or are documents; none is empty. True too often, as :func:`may_hold` is."""
    return _chosen(texts, _wordy_flags, lambda text: may_hold(text) and _TOKENS.search(text) is not None)


def _chosen(
    texts: Sequence[str], flags: Callable[[bytes, Sequence[str]], Flags], one: Callable[[str], bool]
) -> list[str]:
    if not texts:
        return []
    joined = "".join(texts)
    if joined.isascii():
        return list(compress(texts, flags(joined.encode("ascii"), texts)))
    plain = [t for t in texts if t.isascii()]
    return [*_chosen(plain, flags, one), *(t for t in texts if not t.isascii() and one(t))]


def _places(texts: Sequence[str]) -> tuple[Any, Any]:
    import numpy as np

    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return lengths, np.cumsum(lengths) - lengths


def _counts(which: Flags, starts: Any) -> Any:
    import numpy as np

    return np.add.reduceat(which.view(np.uint8), starts, dtype=np.int32)


def _telling_flags(data: bytes, texts: Sequence[str]) -> Flags:
    import numpy as np

    lengths, starts = _places(texts)
    codes = np.frombuffer(data, np.uint8)
    digits = _counts(codes - 48 < 10, starts)  # what is below 48 wraps around
    made: Flags = digits >= 9
    days = made & (lengths >= 10)
    for at in np.flatnonzero(days & (codes[np.minimum(starts + 4, len(codes) - 1)] == ord("-"))).tolist():
        made[at] = _DAY.match(texts[at]) is None
    if ((digits >= 4) & (digits < 9)).any():
        made |= (digits >= 4) & (digits < 9) & (_counts((codes | 32) - 97 < 26, starts) >= 4)
    if b"@" in data:
        made |= _counts(codes == ord("@"), starts) > 0
    if (lengths >= 25).any():
        made |= (lengths >= 25) & (_counts(codes == ord(" "), starts) >= 3)
    made &= lengths >= LEAST
    return made


def _wordy_flags(data: bytes, texts: Sequence[str]) -> Flags:
    import numpy as np

    _, starts = _places(texts)
    codes = np.frombuffer(data, np.uint8)
    made: Flags = _counts(codes - 48 < 10, starts) >= 4
    if b"@" in data:
        made |= _counts(codes == ord("@"), starts) > 0
    between = np.frombuffer(data.translate(_BETWEEN), np.uint8).view(np.bool_)
    made &= _counts(between, starts) > 0
    if not made.any():
        return made
    documents = np.isin(codes[starts], _OPENING)  # whose texts may be of several words
    return made & (documents | _long_runs(texts))


def _long_runs(texts: Sequence[str]) -> Flags:
    """Which of the texts have a word of :data:`LEAST` characters at least."""
    import numpy as np

    joined = "\n".join(["", *texts, ""]).encode("ascii")
    cuts = np.flatnonzero(np.frombuffer(joined.translate(_BETWEEN), np.uint8))
    begins = cuts[:-1][np.diff(cuts) > LEAST]
    lengths, _ = _places(texts)
    made: Flags = np.zeros(len(texts), np.bool_)
    made[np.searchsorted(np.cumsum(lengths + 1), begins, side="right")] = True
    return made


_OPENING = tuple(b'{["')
_BETWEEN = bytes(_TOKENS.match(chr(code)) is not None for code in range(256))
