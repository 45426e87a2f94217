"""How a long run shows itself: a bar on a terminal, plain lines elsewhere, nothing where nobody listens."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

__all__ = ["Bar", "Lines", "Quiet", "Reporter", "reporter"]


class Reporter(Protocol):
    """What a job tells of its progress."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def phase(self, name: str) -> None:
        """A new phase begins."""
        ...

    def table(self, name: str, rows: int | None) -> None:
        """The next table begins; ``rows`` is its estimated size."""
        ...

    def advance(self, rows: int) -> None:
        """So many more rows of it are done."""
        ...

    def done(self, rows: int) -> None:
        """The table is complete."""
        ...


class Quiet:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def phase(self, name: str) -> None:
        """Say nothing."""

    def table(self, name: str, rows: int | None) -> None:
        """Say nothing."""

    def advance(self, rows: int) -> None:
        """Say nothing."""

    def done(self, rows: int) -> None:
        """Say nothing."""


class Lines(Quiet):
    """A line per phase and per table, and one every few seconds within a table."""

    def __init__(self, out: TextIO, every: float = 5.0) -> None:
        self._out = out
        self._every = every
        self._name = ""
        self._rows = 0
        self._began = self._said = time.monotonic()

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def phase(self, name: str) -> None:
        """One line."""
        self._say(name)

    def table(self, name: str, rows: int | None) -> None:
        """Remember the table; its line comes when it is done."""
        self._name, self._rows = name, 0
        self._began = self._said = time.monotonic()

    def advance(self, rows: int) -> None:
        """A line when the last one is some seconds old."""
        self._rows += rows
        now = time.monotonic()
        if now - self._said >= self._every:
            self._said = now
            self._say(f"  {self._name}: {self._rows:,} rows, {self._rows / (now - self._began):,.0f} rows/s")

    def done(self, rows: int) -> None:
        """The table's line."""
        self._say(f"  {self._name}: {rows:,} rows in {time.monotonic() - self._began:.1f} s")


class Bar(Quiet):
    """rich's progress bar: rows, rate, time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("", total=None, rate="")
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, name: str) -> None:
        """Show the phase in the bar's place of a table."""
        self._progress.reset(self._task, total=None, description=name, rate="")

    def table(self, name: str, rows: int | None) -> None:
        """A fresh bar."""
        self._began = time.monotonic()
        self._progress.reset(self._task, total=rows, description=name, rate="")

    def advance(self, rows: int) -> None:
        """Move the bar."""
        self._progress.advance(self._task, rows)
        seconds = max(time.monotonic() - self._began, 1e-6)
        self._progress.update(self._task, rate=f"{self._progress.tasks[0].completed / seconds:,.0f} rows/s")

    def done(self, rows: int) -> None:
        """Fill the bar."""
        self._progress.update(self._task, total=rows, completed=rows)


def reporter(out: TextIO = sys.stderr) -> Reporter:
    """A bar where ``out`` is a terminal, lines elsewhere."""
    return Bar() if out.isatty() else Lines(out)
