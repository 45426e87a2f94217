"""Numbers of a running proxy, shared by its workers: one row of memory each, added up by whoever is asked."""

from __future__ import annotations

import mmap
from bisect import bisect_left

__all__ = ["BUCKETS", "Counters", "Numbers"]

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
"""Upper bounds of the histogram of statements' durations, in seconds."""

_GAUGES = {
    "connections": "Clients that are connected.",
    "backends_waiting": "Connections to the source that wait for clients.",
    "ready": "Workers that serve: the source can be reached and its views are those of the policy.",
}
_COUNTERS = {
    "logins_total": "Clients that have logged in.",
    "logins_failed_total": "Clients with a wrong name or password.",
    "connections_refused_total": "Clients turned away: too many, too slow to log in, or against the protocol.",
    "sessions_ended_total": "Sessions that the proxy ended: idle, not reading, protocol errors, the source gone.",
    "statements_total": "Statements sent on to the source.",
    "statements_refused_total": "Statements refused.",
    "statement_errors_total": "Errors that the source reported.",
    "statement_timeouts_total": "Statements cancelled because they took too long.",
    "rows_total": "Rows that statements returned.",
    "cancels_total": "Cancellations passed on.",
    "cache_text_hits_total": "Rewrites found by the statement's text.",
    "cache_shape_hits_total": "Rewrites found by the statement's text without its literals.",
    "cache_misses_total": "Rewrites that were made.",
    "catalog_reloads_total": "Times the catalog was read again.",
}
_NAMES = (*_GAUGES, *_COUNTERS)
_SUM = len(_NAMES) + len(BUCKETS) + 1
_WIDTH = _SUM + 1
_AT = {name: at for at, name in enumerate(_NAMES)}


class Counters:
    """One worker's numbers."""

    def __init__(self, cells: memoryview[float]) -> None:
        self._cells = cells

    def add(self, name: str, by: float = 1.0) -> None:
        """Count; the name is one of those in this module."""
        self._cells[_AT[name]] += by

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._cells[_AT[name]] = value

    def get(self, name: str) -> float:
        """This worker's number."""
        return float(self._cells[_AT[name]])

    def took(self, seconds: float) -> None:
        """One more statement of this duration."""
        self._cells[len(_NAMES) + bisect_left(BUCKETS, seconds)] += 1
        self._cells[_SUM] += seconds

    def clear_gauges(self) -> None:
        """For a worker that takes the place of one that died."""
        for name in _GAUGES:
            self.set(name, 0.0)


class Numbers:
    """The memory that workers share; made before they are forked."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._map = mmap.mmap(-1, max(workers * _WIDTH * 8, mmap.PAGESIZE))
        self._cells = memoryview(self._map).cast("d")

    def of(self, worker: int) -> Counters:
        """A worker's row."""
        return Counters(self._cells[worker * _WIDTH : (worker + 1) * _WIDTH])

    def total(self, name: str) -> float:
        """The sum over all workers."""
        return self._sum(_AT[name])

    def _sum(self, at: int) -> float:
        return sum(self._cells[worker * _WIDTH + at] for worker in range(self.workers))

    def exposition(self) -> str:
        """Prometheus' text format, version 0.0.4."""
        lines = []
        for kind, names in (("gauge", _GAUGES), ("counter", _COUNTERS)):
            for name, said in names.items():
                lines += [f"# HELP dbmask_proxy_{name} {said}", f"# TYPE dbmask_proxy_{name} {kind}"]
                lines.append(f"dbmask_proxy_{name} {self.total(name):.17g}")
        name = "dbmask_proxy_statement_seconds"
        lines += [f"# HELP {name} From a statement's arrival to ReadyForQuery.", f"# TYPE {name} histogram"]
        count = 0.0
        for at, bound in enumerate((*map(str, BUCKETS), "+Inf")):
            count += self._sum(len(_NAMES) + at)
            lines.append(f'{name}_bucket{{le="{bound}"}} {count:.17g}')
        lines += [f"{name}_sum {self._sum(_SUM):.17g}", f"{name}_count {count:.17g}", ""]
        return "\n".join(lines)
