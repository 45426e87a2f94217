"""The formulas of l-diversity and t-closeness, on all classes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbmask.analytics.classes import Classes
from dbmask.analytics.threads import each, workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["categorical_distances", "entropy_l", "numeric_distances", "recursive_c", "whole_of"]


def entropy_l(classes: Classes) -> float:
    """The least effective number of sensitive values of a class: exp(entropy). Machanavajjhala et al. 2007, def. 4.1."""
    import numpy as np

    def entropies(part: Classes) -> Floats:
        p = part.counts / np.repeat(part.sizes, part.distinct)
        p *= np.log(p)
        made: Floats = np.add.reduceat(p, part.starts[:-1])
        return made

    return float(np.exp(-classes.measured(entropies).max()))


def recursive_c(classes: Classes, l_threshold: int) -> float | None:
    """The least c for which every class is recursively (c,l)-diverse, r1 / (r_l + ... + r_m) at most; None where none is.

    Machanavajjhala et al. 2007, definition 4.2.
    """
    import numpy as np

    if int(classes.distinct.min()) < l_threshold:
        return None

    def least(part: Classes) -> Floats:
        first = part.starts[:-1]
        most = np.maximum.reduceat(part.counts, first)
        left = part.sizes.copy()
        if l_threshold > 1:
            left -= most
        if l_threshold > 2:
            # Each class's counts, the greatest first: one sort of (class, what is missing to the greatest of all).
            top = int(part.counts.max())
            owner = np.repeat(np.arange(len(first)), part.distinct)
            missing = owner * (top + 1) + (top - part.counts)
            missing.sort()
            for i in range(1, l_threshold - 1):
                left -= top - missing[first + i] % (top + 1)
        made: Floats = most / left
        return made

    return float(classes.measured(least).max())


def whole_of(codes: NDArray[np.signedinteger[Any]], width: int, weights: NDArray[np.int64] | None) -> Floats:
    """How many records have each code, 0 to ``width - 1``."""
    import numpy as np

    # Few long parts: each has a table of its own.
    edges = np.linspace(0, len(codes), workers() + 1).astype(int).tolist()

    def count(at: slice) -> Floats:
        # Codes of 64 bits are counted without a copy; their absent ones are taken off at the end.
        part = codes[at].astype(np.int64)
        part += 1
        return np.bincount(part, None if weights is None else weights[at], width + 1).astype(float)

    found: Floats = sum(each(count, map(slice, edges, edges[1:])), np.zeros(width + 1))[1:]
    return found


def categorical_distances(classes: Classes, whole: Floats) -> Floats:
    """Total variation distance of each class from the whole: half the sum of |p - q|.

    ``whole`` counts the records of each code; those whose value is absent are a value like any other.
    """
    import numpy as np

    total = classes.sizes.sum()
    shares = np.append(whole, total - whole.sum()) / total

    def distances(part: Classes) -> Floats:
        q = shares[part.values]
        p = part.counts / np.repeat(part.sizes, part.distinct)
        first = part.starts[:-1]
        elsewhere = 1 - np.add.reduceat(q, first)
        np.subtract(p, q, out=p)
        np.abs(p, out=p)
        made: Floats = np.maximum(0.5 * (np.add.reduceat(p, first) + elsewhere), 0.0)
        return made

    found: Floats = classes.measured(distances)
    return found


def numeric_distances(classes: Classes, whole: Floats) -> Floats:
    """Sum of |CDF differences| over the ordered distinct values but the last, divided by their number less one.

    Li et al. 2007, section 3.2. ``whole`` counts the records of each value. A class's CDF is constant between its own
    values, so each stretch is a difference of prefix sums of the whole's CDF, split where that crosses the constant:
    n log m, never n times m.
    """
    import numpy as np

    if len(whole) < 2 or not whole.sum():
        return np.zeros(len(classes.sizes))
    running = np.cumsum(whole)
    cdf = running / running[-1]
    prefix = np.concatenate(([0.0], np.cumsum(cdf)))

    def distances(part: Classes) -> Any:
        present = part.values >= 0
        result = np.zeros(len(part.sizes))
        if present.all():
            areas = _areas(part.values, part.counts, part.starts[:-1], part.distinct, cdf, prefix)
            return areas / (len(whole) - 1)
        result = np.zeros(len(part.sizes))
        spans = np.add.reduceat(present.astype(np.int64), part.starts[:-1])
        classed = spans > 0
        spans = spans[classed]
        if len(spans):
            heads = np.cumsum(spans) - spans
            areas = _areas(part.values[present], part.counts[present], heads, spans, cdf, prefix)
            result[classed] = areas / (len(whole) - 1)
        return result

    found: Floats = classes.measured(distances)
    return found


def _areas(values: Any, counts: Any, heads: Any, spans: Any, cdf: Floats, prefix: Floats) -> Floats:
    """Between a class's CDF and the whole's, for classes whose values begin at ``heads`` and are ``spans`` many."""
    import numpy as np

    last = len(cdf) - 1
    running = np.cumsum(counts, dtype=np.int64)
    before = running[heads] - counts[heads]
    totals = running[heads + spans - 1] - before
    level = (running - np.repeat(before, spans)) / np.repeat(totals, spans)
    # A stretch goes from a value to the class's next, the last one's to the end.
    end = np.empty(len(values), dtype=np.int64)
    end[:-1] = values[1:]
    end[heads + spans - 1] = last
    below = prefix[values]
    area = np.empty(len(values))
    area[:-1] = below[1:]
    area[heads + spans - 1] = prefix[last]
    upto = np.flatnonzero((cdf[values] < level) & (cdf[end - 1] >= level))
    first = below[heads]
    at, to, height = values[upto], end[upto], level[upto]
    cross = np.clip(np.searchsorted(cdf, height), at, to)
    split = height * (2 * cross - at - to) - 2 * prefix[cross] + below[upto] + area[upto]
    area -= below
    level *= end - values
    area -= level
    np.abs(area, out=area)
    area[upto] = np.maximum(split, 0.0)
    found: Floats = np.add.reduceat(area, heads) + first
    return found
