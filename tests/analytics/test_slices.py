"""Many rows are measured slice by slice, on several cores, and the figures are those of all at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from dbmask.analytics import risk, threads
from dbmask.analytics.columns import Column, Frame, frame_of
from dbmask.analytics.numbers import numbers_of

SLICE = 1000
ROWS = 5 * SLICE + 5


def _frame(seed: int, words: list[str]) -> Frame:
    made = np.random.default_rng(seed)
    # One class is larger than a slice; one value is absent in places.
    sex = np.where(np.arange(ROWS) < SLICE + 9, 0, made.integers(0, 2, ROWS))
    town = np.where(sex == 0, 0, made.integers(0, 70, ROWS)).astype(np.int32)
    sensitive = made.integers(-1 if "" in words else 0, len(words), ROWS)
    towns = Column(town, [f"t{i}" for i in range(70)])
    return Frame({"sex": Column(sex, ["m", "f"]), "town": towns, "s": Column(sensitive, words)}, ROWS)


NUMBERS = [str(n * 7919 % 1009 - 50) for n in range(200)]


@pytest.mark.parametrize("words", [NUMBERS, [f"v{n}" for n in NUMBERS], [*NUMBERS[:40], "", "7.0", "7"]])
@pytest.mark.parametrize("cores", [1, 3])
def test_figures(words: list[str], cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "workers", lambda: cores)
    monkeypatch.setattr(threads, "ROWS", SLICE)
    frame = _frame(len(words), words)
    k, diversity, t = risk.run_frame(frame, ["sex", "town"], "s")
    codes = [frame.columns[n].codes.tolist() for n in ("sex", "town", "s")]
    groups: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for sex, town, value in zip(*codes, strict=True):
        groups[sex, town][value] += 1
    sizes = sorted(group.total() for group in groups.values())
    assert (k.summary["k_min"], k.summary["k_max"], k.summary["num_classes"]) == (sizes[0], sizes[-1], len(sizes))
    assert diversity.summary["l_min"] == min(map(len, groups.values()))
    wanted = [_distance(group, Counter(codes[2]), words) for group in groups.values()]
    assert t.summary["t_max"] == pytest.approx(max(wanted), abs=2e-6)
    assert t.summary["emd_values"] == pytest.approx(sorted(wanted), abs=2e-6)


def _distance(part: Counter[int], whole: Counter[int], words: list[str]) -> float:
    if words[0].startswith("v"):
        return sum(abs(part[w] / part.total() - whole[w] / whole.total()) for w in whole) / 2
    values: dict[float, list[int]] = defaultdict(list)
    for code, word in enumerate(words):
        if word:
            values[float(word)].append(code)
    in_part, in_whole = ([sum(of[c] for c in values[v]) for v in sorted(values)] for of in (part, whole))
    p, q = np.cumsum(in_part) / sum(in_part), np.cumsum(in_whole) / sum(in_whole)
    return float(np.abs(p - q)[:-1].sum() / (len(values) - 1))


def test_weighted_rows_stand_for_many() -> None:
    rows: list[dict[str, str]] = [
        {"q": q, "s": s} for q, s in zip("aabbbc" * 3, ["1", "2", "", "4", "4", "1"] * 3, strict=True)
    ]
    distinct = Counter((r["q"], r["s"]) for r in rows)
    grouped = [{"q": q, "s": s} for q, s in distinct]
    frame = frame_of(grouped)
    weighted = Frame(frame.columns, frame.rows, np.array(list(distinct.values())))
    found, wanted = risk.run_frame(weighted, ["q"], "s"), risk.run(rows, ["q"], "s")
    assert [r.summary for r in found] == [r.summary for r in wanted]
    assert [r.details for r in found] == [r.details for r in wanted]


def test_absent_values() -> None:
    rows: list[dict[str, Any]] = [{"q": 1, "s": "3"}, {"q": 1}, {"q": 2}, {"q": 2, "s": "5"}, {"q": 3}]
    t = risk.run(rows, ["q"], "s", ["t_closeness"])[0]
    assert sorted(d["emd"] for d in t.details) == [0.0, 0.5, 0.5]


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_sorting(cores: int) -> None:
    values = np.random.default_rng(1).integers(-(2**62), 2**62, 5 << 20)
    values[::3] = 7
    wanted = np.sort(values)
    threads.sort(values, cores)
    assert (values == wanted).all()


def test_what_fails_in_a_slice_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "workers", lambda: 2)
    assert threads.each(str, range(9)) == list("012345678")
    with pytest.raises(ZeroDivisionError):
        threads.each(lambda n: 1 // n, [1, 0, 2])


@pytest.mark.parametrize("labels", [["1", "x"], ["1", "nan"], ["1", "1_000"], ["", ""], [], ["inf"]])
def test_what_is_not_numeric(labels: list[str]) -> None:
    assert numbers_of(labels) is None


def test_numbers_are_ranked() -> None:
    found = numbers_of(["10", "", " 2", "1e1", "-3", "10.0"])
    assert found is not None
    assert (found.labels, found.ranks.tolist()) == (["-3", " 2", "10"], [2, -1, 1, 2, 0, 2, -1])
