"""The original program's figures and texts, as its outputs were recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbmask.analytics import AnalyticsError, risk, utility

CASES = json.loads((Path(__file__).parent.parent / "vectors" / "maskme.json").read_text(encoding="utf-8"))["analytics"]


def _run(case: dict[str, Any]) -> list[Any]:
    return utility.run(**case["kwargs"]) if "original" in case["kwargs"] else risk.run(**case["kwargs"])


def _within(wanted: Any, found: Any) -> Any:
    """``found`` without the figures that ``wanted`` does not have."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {k: _within(wanted[k], v) for k, v in found.items() if k in wanted}
    return found


@pytest.mark.parametrize("case", [c for c in CASES if "differs" not in c], ids=lambda c: str(c["tag"]))
def test_vectors(case: dict[str, Any]) -> None:
    wanted = case["out"]
    if "__error__" in wanted:
        with pytest.raises(AnalyticsError) as caught:
            _run(case)
        assert str(caught.value) == wanted["message"]
        assert isinstance(caught.value, ValueError)
        return
    for out, result in zip(wanted, _run(case), strict=True):
        assert result.name == out["name"]
        assert (result.passed, result.threshold, result.score) == (out["passed"], out["threshold"], out.get("score"))
        assert _within(out["summary"], result.summary) == out["summary"]
        assert result.details == out["details"]
        assert result.recommendations == out["recs"]
        assert result.metadata == out["metadata"]
        assert len(result.charts) == out["ncharts"]


def _case(tag: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in CASES if c["tag"] == tag)
    return found


def test_empty_values_beside_numbers_are_left_out() -> None:
    (result,) = _run(_case("num-with-empty"))
    assert (result.summary["attribute_type"], result.summary["t_max"], result.passed) == ("numerical", 0.0, True)


def test_a_dropped_field_scores_nothing() -> None:
    retention, fidelity, loss = _run(_case("util-dropped"))
    assert retention.score == fidelity.score == loss.score == 0.3333
    assert fidelity.summary["low_fidelity_fields"] == ["n", "city"]
    assert loss.recommendations == _case("util-dropped")["out"][2]["recs"]


def test_negative_numbers() -> None:
    assert [r.score for r in _run(_case("util-neg"))] == [1.0, 1.0, 1.0]
