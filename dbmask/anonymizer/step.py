"""An anonymizer step over a CSV file: ``dbmask mask --step step.xml --input in.csv --output out.csv``.

The file is read and written in batches, so memory does not grow with it. The output appears complete or not at all.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from dbmask.anonymizer.api import DOMAIN, make_engine
from dbmask.anonymizer.atomic import writing
from dbmask.anonymizer.engine import Engine
from dbmask.anonymizer.flags import FLAG_NAMES, Scorer
from dbmask.anonymizer.step_xml import Step, read_step
from dbmask.errors import MaskError, PolicyError, Problem, UsageError
from dbmask.keys import KeyRing
from dbmask.masks.base import nearest

__all__ = ["StepResult", "run_step"]

_BATCH = 20_000


@dataclass(frozen=True)
class StepResult:
    """What a step did: how many rows, and on how many of them each flag was set."""

    rows: int
    flags: Mapping[str, int]


def run_step(
    step: str | Path,
    source: str | Path,
    output: str | Path,
    keys: KeyRing,
    *,
    name_lookup: str | None = None,
    delimiter: str = ",",
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> StepResult:
    """Run the step of an XML file over a CSV file (UTF-8, with a header) into another.

    ``name_lookup`` takes the place of the XML's nameLookupFileName, which is looked for beside the XML; ``limit`` is how many rows
    are read at most; ``progress`` is called with the number of rows done. With a scorer, the columns ``score`` and the
    XML's explanationColumn are added; an explanationColumn that is there is overwritten.

    Raises PolicyError for the XML and the lookup, UsageError for files and headers, MaskError for rows that cannot be
    masked, each naming file and line and never a value.
    """
    made = read_step(step, name_lookup)
    base = None if name_lookup is not None else Path(step).parent
    needs = bool({"firstName", "lastName"} & made.columns.keys())
    try:
        engine = make_engine(made.parameters, keys.column(DOMAIN), needs_names=needs, base=base)
    except PolicyError as error:
        raise PolicyError([Problem(p.where or str(step), p.what, p.hint) for p in error.problems]) from None
    if _same(Path(source), Path(output)):
        raise UsageError(f"{output} is the input: name another file for the output")
    with _opened(Path(source)) as text, writing(Path(output)) as out:
        return _Run(made, engine, str(source), text, out, delimiter, limit, progress).run()


def _same(source: Path, output: Path) -> bool:
    return source.exists() and output.exists() and source.samefile(output)


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


@dataclass
class _Run:
    """One file on its way through the engine."""

    step: Step
    engine: Engine
    name: str
    source: TextIO
    out: TextIO
    delimiter: str
    limit: int | None
    progress: Callable[[int], None] | None
    lines: list[int] = field(default_factory=list)
    """The last line of each row of the batch."""
    counts: dict[str, int] = field(default_factory=dict)

    def run(self) -> StepResult:
        """Every row, batch by batch."""
        rows = self._rows()
        header = next(rows, None)
        if header is None:
            raise UsageError(f"{self.name} is empty: its first line must name the columns")
        self.lines.clear()
        places = {role: self._place(header, role, name) for role, name in self.step.columns.items()}
        written, score, explanation = self._written(header)
        writer = csv.writer(self.out, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(written)
        scorer = Scorer(self.step.parameters.scorer or ())
        done = 0
        while batch := list(islice(rows, _BATCH if self.limit is None else min(_BATCH, self.limit - done))):
            flags = self._masked(batch, places, len(header))
            self.lines.clear()
            for row, bits in zip(batch, flags, strict=True):
                row += [""] * (len(written) - len(row))
                if score is not None:
                    row[score] = str(scorer.scores[bits])
                if explanation is not None:
                    row[explanation] = scorer.explanations[bits]
            writer.writerows(batch)
            done += len(batch)
            if self.progress is not None:
                self.progress(done)
        return StepResult(done, self.counts)

    def _rows(self) -> Iterator[list[str]]:
        reader = csv.reader(self.source, delimiter=self.delimiter, strict=True)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise UsageError(f"{self.name}:{reader.line_num}: is not CSV: {error}") from None
            except UnicodeDecodeError:
                raise UsageError(f"{self.name}: is not UTF-8 after line {reader.line_num}") from None
            if row:
                self.lines.append(reader.line_num)
                yield row

    def _masked(self, batch: list[list[str]], places: Mapping[str, int], width: int) -> list[int]:
        """Mask rows in place; the flags of each."""
        for line, row in zip(self.lines, batch, strict=True):
            if len(row) != width:
                raise UsageError(f"{self.name}:{line}: has {len(row)} fields, and the header has {width}")
        try:
            outcome = self.engine.run({role: [row[at] for row in batch] for role, at in places.items()})
        except MaskError as error:
            raise MaskError(f"{self.name}: lines {self.lines[0]} to {self.lines[-1]}: {error}") from None
        for role, at in places.items():
            for row, value in zip(batch, outcome.columns[role], strict=True):
                row[at] = "" if value is None else value
        bits, counts = np.unique(outcome.flags, return_counts=True)
        for value, count in zip(bits.tolist(), counts.tolist(), strict=True):
            for flag in FLAG_NAMES[value]:
                self.counts[flag] = self.counts.get(flag, 0) + count
        return [int(b) for b in outcome.flags.tolist()]

    def _place(self, header: Sequence[str], role: str, name: str) -> int:
        if header.count(name) == 1:
            return header.index(name)
        what = "no column" if name not in header else "more than one column"
        hint = nearest(name, list(header))
        raise UsageError(
            f"{self.name}:1: has {what} {name!r}, which the step binds as {role}" + (f" ({hint})" if hint else "")
        )

    def _written(self, header: list[str]) -> tuple[list[str], int | None, int | None]:
        """The output's header, and where score and explanation go."""
        written = list(header)
        score, explanation = self.step.score_column, self.step.explanation_column
        if score is not None:
            if score in header:
                hint = "name another column with scoreColumn in the step's <scorer>"
                raise UsageError(f"{self.name}:1: has a column {score!r} already, where the score would go ({hint})")
            written.append(score)
        if explanation is not None and explanation not in written:
            written.append(explanation)
        places: list[Any] = [None if n is None else written.index(n) for n in (score, explanation)]
        return written, places[0], places[1]
