"""Labels that spell numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Numbers", "all_floats", "floats", "numbers_of"]

_PART = 512


@dataclass(frozen=True)
class Numbers:
    """Labels by number: ``ranks[code]`` is the place among the distinct numbers, whose texts are ``labels``; -1 is none.

    Equal numbers are one, spelled as their first label; the last of ``ranks`` is what -1, an absent value, reads.
    """

    ranks: NDArray[np.int32]
    labels: Sequence[str]


def _to_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    # "1_000" is a number to Python alone.
    return value if math.isfinite(value) and "_" not in text else math.nan


def floats(labels: Sequence[str]) -> NDArray[np.float64]:
    """The finite number that each label spells, not-a-number where it spells none."""
    import numpy as np

    found = np.empty(len(labels))
    for at in range(0, len(labels), _PART):
        part = labels[at : at + _PART]
        try:
            found[at : at + _PART] = np.fromiter(map(float, part), dtype=float, count=len(part))
            odd = "_" in "".join(part)
        except ValueError:
            odd = True
        if odd:
            found[at : at + _PART] = list(map(_to_number, part))
    found[np.isinf(found)] = np.nan
    return found


def all_floats(labels: Sequence[str]) -> NDArray[np.float64] | None:
    """As floats, where there is a value and all non-empty ones spell finite numbers; else None."""
    import numpy as np

    # What is not numeric mostly shows at once.
    if any(math.isnan(_to_number(label)) for label in labels[:_PART] if label != ""):
        return None
    found, empty = floats(labels), labels.count("")
    return found if len(labels) > empty == int(np.isnan(found).sum()) else None


def numbers_of(labels: Sequence[str]) -> Numbers | None:
    """Labels by number, empty ones absent; None unless all others are numbers."""
    import numpy as np

    numbers = all_floats(labels)
    if numbers is None:
        return None
    filled = np.flatnonzero(~np.isnan(numbers))
    order = filled[np.argsort(numbers[filled], kind="stable")]
    ascending = numbers[order]
    fresh = np.empty(len(order), dtype=bool)
    fresh[0] = True
    np.not_equal(ascending[1:], ascending[:-1], out=fresh[1:])
    ranks = np.full(len(labels) + 1, -1, dtype=np.int32)
    ranks[order] = np.cumsum(fresh) - 1
    return Numbers(ranks, [labels[i] for i in order[fresh].tolist()])
