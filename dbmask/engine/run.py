"""One table's rows, masked: what SQL made ready, and what Python adds batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

from dbmask.planner import Reading
from dbmask.spi import Batch, Reader

__all__ = ["masked_batches"]


def masked_batches(reader: Reader, reading: Reading, batch_rows: int = 10_000) -> Iterator[Batch]:
    """Stream a table's masked rows as columns in the order of ``reading.writes``. Raises MaskError and ConnectorError."""
    batches = reader.read(reading.query, batch_rows)
    if any(getattr(unit.bound, "whole_column", False) for unit, _, _ in reading.leftover):
        batches = _one_batch(batches)
    for raw in batches:
        yield _finished(raw, reading)


def _one_batch(batches: Iterator[Batch]) -> Iterator[Batch]:
    """All rows at once, for masks that need a whole column (shuffle): memory then grows with the table."""
    whole: Batch = []
    for batch in batches:
        whole = [kept + more for kept, more in zip(whole, batch, strict=True)] if whole else batch
    if whole:
        yield whole


def _finished(raw: Batch, reading: Reading) -> Batch:
    made: Batch = [raw[i] if i >= 0 else [] for i in reading.ready]
    for unit, inputs, outputs in reading.leftover:
        for place, column in zip(outputs, unit.bound.apply([raw[i] for i in inputs]), strict=True):
            made[place] = column
    return made
