"""Timing side by side: dbmask and its rival or limit in turn, medians of several runs after a warm-up, growth over sizes."""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

__all__ = ["Result", "compare", "growth", "report"]


@dataclass(frozen=True)
class Result:
    """One line: medians in seconds, what they mean per second, and how they stand to each other."""

    name: str
    size: int
    seconds: float
    rival: str
    rival_seconds: float
    target: str

    @property
    def ratio(self) -> float:
        """The rival's time over dbmask's: 1 is as fast, above 1 is faster."""
        return self.rival_seconds / self.seconds


def compare(
    name: str, size: int, run: Callable[[], object], rival: str, other: Callable[[], object], target: str, runs: int = 5
) -> Result:
    """Run both in turn, once to warm up and then ``runs`` times."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(runs + 1):
        for at, function in enumerate((run, other)):
            began = time.perf_counter()
            function()
            if i:
                times[at].append(time.perf_counter() - began)
    return Result(name, size, statistics.median(times[0]), rival, statistics.median(times[1]), target)


def growth(results: Sequence[Result]) -> float:
    """The exponent b of seconds ~ size**b over the sizes measured (least squares in logarithms)."""
    xs, ys = [math.log(r.size) for r in results], [math.log(r.seconds) for r in results]
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)


def report(results: Sequence[Result]) -> None:
    """A JSON line and a table line for each; the growth exponent where a name was measured at several sizes."""
    for r in results:
        print(json.dumps({**asdict(r), "ratio": round(r.ratio, 3)}), flush=True)
        rate = f"{r.size / r.seconds:>12,.0f}/s"
        print(
            f"{r.name:44} {r.size:>10,} {r.seconds:8.3f} s {rate}   {r.ratio:5.2f} of {r.rival} (target {r.target})",
            file=sys.stderr,
            flush=True,
        )
    if len(results) > 1:
        print(f"{results[0].name:44} grows as size ** {growth(results):.2f}", file=sys.stderr, flush=True)
