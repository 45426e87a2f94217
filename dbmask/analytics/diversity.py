"""The formulas of l-diversity and t-closeness, on all classes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.analytics.classes import Classes
from dbmask.analytics.columns import Column, to_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["categorical_distances", "entropy_l", "numeric_column", "numeric_distances", "recursive_c"]


def entropy_l(classes: Classes) -> float:
    """The least effective number of sensitive values of a class: exp(entropy). Machanavajjhala et al. 2007, def. 4.1."""
    import numpy as np

    p = classes.counts / np.repeat(classes.sizes, classes.distinct)
    return float(np.exp(-np.add.reduceat(p * np.log(p), classes.starts[:-1])).min())


def recursive_c(classes: Classes, l_threshold: int) -> float | None:
    """The least c for which every class is recursively (c,l)-diverse, r1 / (r_l + ... + r_m) at most; None where none is.

    Machanavajjhala et al. 2007, definition 4.2.
    """
    import numpy as np

    if int(classes.distinct.min()) < l_threshold:
        return None
    first = classes.starts[:-1]
    most = np.maximum.reduceat(classes.counts, first)
    if l_threshold <= 1:
        return float((most / classes.sizes).max())
    left = classes.sizes - most
    if l_threshold > 2:
        owner = np.repeat(np.arange(len(first)), classes.distinct)
        ordered = classes.counts[np.lexsort((-classes.counts, owner))]
        for i in range(1, l_threshold - 1):
            left = left - ordered[first + i]
    return float((most / left).max())


def numeric_column(column: Column) -> Column | None:
    """The column with codes in the order of its numbers, equal numbers one code, empty values absent; None if not numeric.

    Numeric: at least one value, and all non-empty ones spell finite numbers.
    """
    import numpy as np

    filled = [i for i, label in enumerate(column.labels) if label != ""]
    numbers = [to_number(column.labels[i]) for i in filled]
    if not numbers or None in numbers:
        return None
    distinct, first, rank = np.unique(np.asarray(numbers, dtype=float), return_index=True, return_inverse=True)
    lookup = np.full(len(column.labels) + 1, -1, dtype=np.int64)
    lookup[filled] = rank
    # The last place of the lookup is what -1, an absent value, reads.
    return Column(lookup[column.codes], [column.labels[filled[int(i)]] for i in first[: len(distinct)]])


def categorical_distances(classes: Classes, width: int) -> Floats:
    """Total variation distance of each class from the whole: half the sum of |p - q|."""
    import numpy as np

    whole = np.bincount(classes.values + 1, weights=classes.counts, minlength=width + 1)
    q = (whole / whole.sum())[classes.values + 1]
    p = classes.counts / np.repeat(classes.sizes, classes.distinct)
    first = classes.starts[:-1]
    shared = np.add.reduceat(np.abs(p - q), first)
    elsewhere = 1 - np.add.reduceat(q, first)
    distances: Floats = np.maximum(0.5 * (shared + elsewhere), 0.0)
    return distances


def numeric_distances(classes: Classes, width: int) -> Floats:
    """Sum of |CDF differences| over the ordered distinct values but the last, divided by their number less one.

    Li et al. 2007, section 3.2. A class's CDF is constant between its own values, so each stretch is a difference of
    prefix sums of the whole's CDF, split where that crosses the constant: n log m, never n times m.
    """
    import numpy as np

    present = classes.values >= 0
    owner = np.repeat(np.arange(len(classes.sizes)), classes.distinct)[present]
    values, counts = classes.values[present], classes.counts[present]
    result = np.zeros(len(classes.sizes))
    if width < 2 or not len(values):
        return result
    whole = np.cumsum(np.bincount(values, weights=counts, minlength=width))
    cdf = whole / whole[-1]
    prefix = np.concatenate(([0.0], np.cumsum(cdf)))
    totals = np.bincount(owner, weights=counts, minlength=len(result))
    running = np.cumsum(counts)
    heads = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
    spans = np.diff(heads, append=len(owner))
    before = np.repeat(running[heads] - counts[heads], spans)
    level = (running - before) / totals[owner]
    end = np.full(len(values), width - 1)
    end[:-1][owner[1:] == owner[:-1]] = values[1:][owner[1:] == owner[:-1]]
    cross = np.clip(np.searchsorted(cdf, level), values, end)
    area = level * (2 * cross - values - end) - 2 * prefix[cross] + prefix[values] + prefix[end]
    np.add.at(area, heads, prefix[values[heads]])
    np.maximum(area, 0.0, out=area)
    result[owner[heads]] = np.add.reduceat(area, heads) / (width - 1)
    return result
