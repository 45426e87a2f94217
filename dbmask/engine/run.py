"""One table's rows, masked: what SQL made ready, and what Python adds batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbmask.engine.spool import Spool
from dbmask.spi import Batch, Reader

if TYPE_CHECKING:
    from dbmask.planner import Reading

__all__ = ["masked_batches"]


def masked_batches(reader: Reader, reading: Reading, batch_rows: int = 10_000) -> Iterator[Batch]:
    """Stream a table's masked rows as columns in the order of ``reading.writes``. Raises MaskError and ConnectorError.

    Where a mask needs the whole column (shuffle), what it reads is held in memory, and all else waits on disk.
    """
    whole = [i for i, (unit, _, _) in enumerate(reading.leftover) if getattr(unit.bound, "whole_column", False)]
    if not whole:
        for raw in reader.read(reading.query, batch_rows):
            yield _finished(raw, reading, {})
        return
    with Spool() as spool:
        read: dict[int, Batch] = {i: [[] for _ in reading.leftover[i][1]] for i in whole}
        for raw in reader.read(reading.query, batch_rows):
            spool.write(raw)
            for i in whole:
                for column, place in zip(read[i], reading.leftover[i][1], strict=True):
                    column += raw[place]
        made = {i: reading.leftover[i][0].bound.apply(read.pop(i)) for i in whole}
        row = 0
        for raw in spool:
            count = len(raw[0])
            yield _finished(raw, reading, {i: [c[row : row + count] for c in columns] for i, columns in made.items()})
            row += count


def _finished(raw: Batch, reading: Reading, done: dict[int, Batch]) -> Batch:
    made: Batch = [raw[i] if i >= 0 else [] for i in reading.ready]
    for number, (unit, inputs, outputs) in enumerate(reading.leftover):
        columns = done[number] if number in done else unit.bound.apply([raw[i] for i in inputs])
        for place, column in zip(outputs, columns, strict=True):
            made[place] = column
    return made
