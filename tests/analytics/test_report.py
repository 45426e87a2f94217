"""Reports: escaped, small, complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.analytics import AnalyticsError, report, risk, run, utility


def test_every_text_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    rows = [{evil: evil, "s": evil}, {evil: "b", "s": "c"}]
    for results in (risk.run(rows, [evil], "s"), utility.run(rows, rows)):
        page = report.page(results, {evil: evil})
        assert "<script" not in page
        assert "&lt;script&gt;" in page


def test_a_report_of_many_classes_stays_small(tmp_path: Path) -> None:
    rows = [{"q": str(i), "s": str(i % 7)} for i in range(50_000)]
    path = tmp_path / "r.html"
    assert report.generate(run(rows, ["q"], "s"), path) == str(path)
    assert path.stat().st_size < 300_000
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(AnalyticsError):
        report.generate([], tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []
