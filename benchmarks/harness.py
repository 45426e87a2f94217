"""Timing side by side: dbmask and its rival or limit in turn, medians of several runs after a warm-up, growth over sizes."""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

__all__ = ["Result", "compare", "growth", "report", "warm_memory"]


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


def warm_memory(megabytes: int) -> None:
    """Fill and free so much of the page cache.

    The host of a virtual machine takes free memory back, and what it has taken costs twice as much at the next use. Who
    deletes before it writes is spared that, and who builds beside what is there is not: both shall find warm memory.
    """
    block = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=".") as file:
        for _ in range(megabytes):
            file.write(block)


def compare(
    name: str,
    size: int,
    run: Callable[[], object],
    rival: str,
    other: Callable[[], object],
    target: str,
    runs: int = 5,
    before: Callable[[], object] = lambda: None,
) -> Result:
    """Run both in turn, once to warm up and then ``runs`` times; ``before`` goes before each and is not timed."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(runs + 1):
        for at, function in enumerate((run, other)):
            before()
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
