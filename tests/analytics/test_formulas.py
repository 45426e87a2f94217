"""The vectorised formulas against plain ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import exp, log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.analytics import AnalyticsError, risk, utility

ROW = st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.sampled_from("xyz"), "s": st.integers(-3, 9)})


def _distance(part: list[int], whole: list[int], numeric: bool) -> float:
    values = sorted(set(whole))
    p, q = Counter(part), Counter(whole)
    if not numeric:
        return sum(abs(p[v] / len(part) - q[v] / len(whole)) for v in values) / 2
    steps = [
        abs(sum(p[w] for w in values[: i + 1]) / len(part) - sum(q[w] for w in values[: i + 1]) / len(whole))
        for i in range(len(values) - 1)
    ]
    return sum(steps) / (len(values) - 1) if steps else 0.0


@given(st.lists(ROW, min_size=1, max_size=40), st.booleans())
def test_risk(rows: list[dict[str, Any]], numeric: bool) -> None:
    records = [{**r, "s": r["s"] if numeric else f"v{r['s']}"} for r in rows]
    k, diversity, t = risk.run(records, ["a", "b"], "s")
    groups = defaultdict(list)
    for r in rows:
        groups[r["a"], r["b"]].append(r["s"])
    sizes = sorted(len(g) for g in groups.values())
    assert (k.summary["k_min"], k.summary["k_max"], k.summary["num_classes"]) == (sizes[0], sizes[-1], len(sizes))
    assert k.summary["k_median"] == sizes[len(sizes) // 2]
    assert k.summary["singling_out"][-1]["unique_records"] == sizes.count(1)
    assert diversity.summary["l_min"] == min(len(set(g)) for g in groups.values())
    entropies = [exp(-sum(c / len(g) * log(c / len(g)) for c in Counter(g).values())) for g in groups.values()]
    assert diversity.summary["entropy_l"] == pytest.approx(min(entropies), abs=1e-4)
    whole = [r["s"] for r in rows]
    distances = sorted(_distance(g, whole, numeric) for g in groups.values())
    assert t.summary["emd_values"] == pytest.approx(distances, abs=2e-6)


def test_one_number_spelled_twice_is_one_value() -> None:
    (t,) = risk.run([{"q": 1, "s": "1"}, {"q": 2, "s": "1.0"}], ["q"], "s", ["t_closeness"])
    assert t.summary["t_max"] == 0.0


def test_recursive_diversity() -> None:
    rows = [{"q": 1, "s": s} for s in "aaabbc"]
    assert risk.run(rows, ["q"], "s", l_threshold=2)[1].summary["recursive_c"] == 1.0
    assert risk.run(rows, ["q"], "s", l_threshold=3)[1].summary["recursive_c"] == 3.0
    assert risk.run(rows, ["q"], "s", l_threshold=4)[1].summary["recursive_c"] is None


def test_many_wide_columns() -> None:
    rows = [{f"c{j}": f"{i * 7 % 997}-{j}" for j in range(12)} for i in range(997)]
    (k,) = risk.run(rows, [f"c{j}" for j in range(12)], None)
    assert (k.summary["k_min"], k.summary["num_classes"]) == (1, 997)
    assert k.details[0]["quasi_identifiers"]["c11"].endswith("-11")


def test_source_beside_replica() -> None:
    before = risk.run([{"q": 1}, {"q": 2}], ["q"], None)
    after = risk.run([{"q": 0}, {"q": 0}], ["q"], None)
    (joined,) = risk.compare(before, after)
    assert (joined.summary["k_min"], joined.summary["source"]["k_min"]) == (2, 1)


def test_what_is_no_number_any_more_is_lost_whole() -> None:
    rows = [{"a": "0"}, {"a": "10"}]
    loss = utility.run(rows, [{"a": "0-5"}, {"a": "10"}], metrics=["information_loss"])[0]
    assert loss.summary["per_field"]["a"]["ili"] == 0.5


@pytest.mark.parametrize("fields", [["nope"], []])
def test_wrong_questions(fields: list[str]) -> None:
    with pytest.raises(AnalyticsError):
        risk.run([{"a": 1}], fields, None)
    with pytest.raises(AnalyticsError):
        risk.run([{"a": 1}], ["a"], "a", analytics=["x"])
    with pytest.raises(AnalyticsError):
        utility.run([{"a": 1}], [{"a": 1}], metrics=["x"])


def test_without_a_sensitive_attribute_k_anonymity_alone_is_measured() -> None:
    """As on the command line."""
    (result,) = risk.run([{"age": "1"}, {"age": "1"}, {"age": "2"}], ["age"])
    assert (result.name, result.summary["k_min"], result.passed) == ("k-Anonymity", 1, False)
