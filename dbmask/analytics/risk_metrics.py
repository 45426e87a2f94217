"""k-anonymity, l-diversity and t-closeness as results: figures, worst classes, advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbmask.analytics import risk_advice as advice
from dbmask.analytics.classes import Classes, classes_of
from dbmask.analytics.columns import Column, Frame
from dbmask.analytics.diversity import (
    categorical_distances,
    entropy_l,
    numeric_distances,
    recursive_c,
    whole_of,
)
from dbmask.analytics.histogram import histogram
from dbmask.analytics.numbers import Numbers, numbers_of
from dbmask.analytics.result import Result, risk_band
from dbmask.analytics.uniqueness import singling_out

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["WORST", "Question", "k_anonymity", "l_diversity", "t_closeness"]

WORST = 1000
"""How many classes the details list; the figures are of all."""

_MANY = 10_000
"""Above so many classes, ``emd_values`` holds evenly spaced ones."""


@dataclass(frozen=True)
class Question:
    """What is measured, and by which thresholds."""

    frame: Frame
    qis: tuple[str, ...]
    sensitive_name: str | None
    k: int
    l: int  # noqa: E741 - the field's own name
    t: float

    @property
    def sensitive(self) -> Column:
        """The sensitive column; without one, the first quasi-identifier stands in, for sizes alone."""
        return self.frame.columns[self.sensitive_name or self.qis[0]]

    @cached_property
    def numbers(self) -> Numbers | None:
        """The sensitive values by number, where they are numeric."""
        return numbers_of(self.sensitive.labels)

    @cached_property
    def counted(self) -> Numbers | None:
        """How l-diversity counts: in the order of numbers where each is spelled in one way only, else by text.

        One sort then serves all three metrics.
        """
        numbers = self.numbers
        return numbers if numbers is not None and len(numbers.labels) == len(self.sensitive.labels) else None

    @cached_property
    def classes(self) -> Classes:
        """The equivalence classes, by text."""
        return classes_of(self.frame, self.qis, self.sensitive, self.counted)

    @property
    def labels(self) -> Sequence[str]:
        """What the values of ``classes`` stand for."""
        return self.sensitive.labels if self.counted is None else self.counted.labels

    @cached_property
    def ordered(self) -> Classes:
        """The equivalence classes with numbers in their order; the same classes where texts and numbers agree."""
        if self.numbers is None or self.counted is not None:
            return self.classes
        return classes_of(self.frame, self.qis, self.sensitive, self.numbers)

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """How far each class of ``ordered`` is from the whole."""
        import numpy as np

        labels, numbers = self.sensitive.labels, self.numbers
        whole = whole_of(self.sensitive.codes, len(labels), self.frame.weights)
        if numbers is None:
            return categorical_distances(self.ordered, whole)
        ranks = numbers.ranks[:-1]
        filled = ranks >= 0
        by_number = np.bincount(ranks[filled], whole[filled], len(numbers.labels)).astype(float)
        return numeric_distances(self.ordered, by_number)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2)


def _worst(figures: NDArray[Any]) -> list[int]:
    """The places of the least figures, the first of equal ones first."""
    import numpy as np

    if len(figures) > WORST:
        limit = np.partition(figures, WORST - 1)[WORST - 1]
        less = np.flatnonzero(figures < limit)
        found = np.concatenate((less, np.flatnonzero(figures == limit)[: WORST - len(less)]))
    else:
        found = np.arange(len(figures))
    return [int(i) for i in found[np.argsort(figures[found], kind="stable")]]


def _distribution(values: NDArray[np.int64]) -> dict[str, int]:
    import numpy as np

    distinct, counts = np.unique(values, return_counts=True)
    return {str(int(v)): int(c) for v, c in zip(distinct, counts, strict=True)}


def k_anonymity(q: Question) -> Result:
    """Samarati & Sweeney (1998): every record alike to at least k-1 others by its quasi-identifiers."""
    import numpy as np

    sizes = q.classes.sizes
    total, k_min = q.frame.total, int(sizes.min())
    below = int(sizes[sizes < q.k].sum())
    middle = len(sizes) // 2
    summary: dict[str, Any] = {
        "k_min": k_min,
        "k_max": int(sizes.max()),
        "k_mean": round(total / len(sizes), 2),
        "k_median": int(np.partition(sizes, middle)[middle]),
        "k_threshold": q.k,
        "num_classes": len(sizes),
        "total_records": total,
        "at_risk_records": below,
        "pct_at_risk": _percent(below, total),
        "passed": k_min >= q.k,
        "size_distribution": _distribution(sizes),
        "band": risk_band("k", k_min),
        "unique_records": int((sizes == 1).sum()),
        "singling_out": singling_out(q.classes),
    }
    details = [
        {
            "quasi_identifiers": q.classes.identifiers(i),
            "class_size": int(sizes[i]),
            "risk": round(1 / int(sizes[i]), 4),
            "satisfies_k": bool(sizes[i] >= q.k),
        }
        for i in _worst(sizes)
    ]
    chart = histogram("Records by size of their class", sizes, weights=sizes, threshold=q.k)
    metadata = {"quasi_identifiers": list(q.qis), "reference": "Samarati & Sweeney (1998)"}
    return Result(
        "k-Anonymity", summary["passed"], q.k, summary, details, advice.k_anonymity(summary), None, [chart], metadata
    )


def l_diversity(q: Question) -> Result:
    """Machanavajjhala et al. (2007): at least l distinct sensitive values in every class."""

    classes, name = q.classes, str(q.sensitive_name)
    distinct, sizes = classes.distinct, classes.sizes
    total, l_min = q.frame.total, int(distinct.min())
    poor = distinct < q.l
    summary: dict[str, Any] = {
        "l_min": l_min,
        "l_max": int(distinct.max()),
        "l_mean": round(float(distinct.mean()), 2),
        "l_threshold": q.l,
        "num_classes": len(sizes),
        "at_risk_classes": int(poor.sum()),
        "total_records": total,
        "at_risk_records": int(sizes[poor].sum()),
        "pct_at_risk": _percent(int(sizes[poor].sum()), total),
        "passed": l_min >= q.l,
        "diversity_distribution": _distribution(distinct),
        "band": risk_band("l", l_min),
        "entropy_l": round(entropy_l(classes), 4),
        "recursive_c": recursive_c(classes, q.l),
    }
    details = [
        {
            "quasi_identifiers": classes.identifiers(i),
            "class_size": int(sizes[i]),
            "distinct_values": int(distinct[i]),
            "value_distribution": classes.members(i, q.labels),
            "satisfies_l": bool(distinct[i] >= q.l),
        }
        for i in _worst(distinct)
    ]
    chart = histogram("Classes by their number of sensitive values", distinct, threshold=q.l)
    metadata = {
        "quasi_identifiers": list(q.qis),
        "sensitive_attr": name,
        "variant": "distinct l-diversity",
        "reference": "Machanavajjhala et al. (2007)",
    }
    texts = advice.l_diversity(summary, name)
    return Result("l-Diversity", summary["passed"], q.l, summary, details, texts, None, [chart], metadata)


def t_closeness(q: Question) -> Result:
    """Li, Li & Venkatasubramanian (2007): the sensitive values of every class spread as those of the whole."""
    import numpy as np

    name, numeric, classes = str(q.sensitive_name), q.numbers, q.ordered
    labels = q.sensitive.labels if numeric is None else numeric.labels
    emd = np.round(q.distances, 6)
    kind = "categorical" if numeric is None else "numerical"
    total, t_max = q.frame.total, float(emd.max())
    far = emd > q.t
    ascending = np.sort(emd)
    step = ascending if len(emd) <= _MANY else ascending[np.linspace(0, len(emd) - 1, WORST).astype(np.int64)]
    summary: dict[str, Any] = {
        "t_max": t_max,
        "t_min": float(ascending[0]),
        "t_mean": round(float(emd.sum()) / len(emd), 6),
        "t_threshold": q.t,
        "num_classes": len(emd),
        "at_risk_classes": int(far.sum()),
        "at_risk_records": int(classes.sizes[far].sum()),
        "total_records": total,
        "pct_at_risk": _percent(int(classes.sizes[far].sum()), total),
        "passed": t_max <= q.t,
        "attribute_type": kind,
        "emd_values": [float(v) for v in step],
        "band": risk_band("t", t_max),
    }
    details = [_t_detail(q, classes, labels, emd, i) for i in _worst(-emd)]
    chart = histogram("Classes by their distance from the whole", emd, threshold=q.t)
    formula = "Total Variation Distance (½·Σ|pᵢ−qᵢ|)"
    metadata = {
        "quasi_identifiers": list(q.qis),
        "sensitive_attr": name,
        "attribute_type": kind,
        "emd_formula": formula if numeric is None else "CDF area difference (Li et al. 2007 §3.2)",
        "reference": "Li, Li & Venkatasubramanian (2007)",
    }
    texts = advice.t_closeness(summary, name)
    return Result("t-Closeness", summary["passed"], q.t, summary, details, texts, None, [chart], metadata)


def _t_detail(q: Question, classes: Classes, labels: Sequence[str], emd: Any, at: int) -> dict[str, Any]:
    size = int(classes.sizes[at])
    members = classes.members(at, labels)
    return {
        "quasi_identifiers": classes.identifiers(at),
        "class_size": size,
        "emd": float(emd[at]),
        "satisfies_t": bool(emd[at] <= q.t),
        "class_distribution": {value: count / size for value, count in members.items()},
    }
