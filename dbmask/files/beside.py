"""A file's table where Python masks some columns: these alone leave DuckDB, and come back beside the others.

The masked columns wait in a Parquet file in the output's own folder; then one statement reads both files row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbmask.files.csv_text import cell
from dbmask.files.duck import Duck, quoted, rendered
from dbmask.files.formats import Format
from dbmask.files.sinks import ParquetSink
from dbmask.files.tables import FilePlan
from dbmask.planner import Reading
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.spi import Batch

if TYPE_CHECKING:
    from pathlib import Path

    from sqlglot import exp

__all__ = ["Beside", "joined", "python_part", "suits"]

_SIDE = "dbmask_masked"
_TEXTS = {"VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UUID"}
"""Types that DuckDB writes into a CSV as Python does."""


def suits(duck: Duck, plan: FilePlan, made: Reading, form: Format) -> bool:
    """Whether the columns can part: none is picked by rows, and DuckDB writes what it keeps as Python would."""
    if plan.plan.filter is not None or plan.plan.picked is not None or all(at < 0 for at in made.ready):
        return False
    if form is Format.PARQUET:
        return True
    types = [sql for _, sql in duck.columns(rendered(made.query))]
    return form is Format.CSV and all(types[at] in _TEXTS for at in made.ready if at >= 0)


def python_part(made: Reading) -> Reading:
    """What Python makes of a table, and nothing else of it."""
    needed = sorted({at for _, inputs, _ in made.leftover for at in inputs})
    place = {at: i for i, at in enumerate(needed)}
    outputs = [at for _, _, made_at in made.leftover for at in made_at]
    written = {at: i for i, at in enumerate(outputs)}
    query = made.query.copy()
    query.set("expressions", [query.expressions[at] for at in needed])
    leftover = tuple(
        (unit, tuple(place[at] for at in inputs), tuple(written[at] for at in made_at))
        for unit, inputs, made_at in made.leftover
    )
    return Reading(query, tuple(made.writes[at] for at in outputs), (-1,) * len(outputs), leftover)


class Beside:
    """The masked columns' file."""

    def __init__(self, path: Path, plan: FilePlan, part: Reading, form: Format) -> None:
        self.path = path.with_name("masked.parquet")
        self._text = form is Format.CSV
        self.names = {name: f"{_SIDE}{at}" for at, name in enumerate(part.writes)}
        types = {
            made: "VARCHAR" if self._text else plan.types.get(name, "VARCHAR") for name, made in self.names.items()
        }
        self._sink = ParquetSink(self.path, list(self.names.values()), types)
        self.rows = 0

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises QueryFailed where a value does not fit its column."""
        self._sink.write([[_written(v) for v in column] for column in batch] if self._text else batch)
        self.rows += len(batch[0])

    def close(self) -> None:
        """Write what is left."""
        self._sink.close()


def _written(value: Any) -> str | None:
    made = cell(value)
    return made if made is None or type(made) is str else str(made)


def joined(duck: Duck, source: str, plan: FilePlan, made: Reading, beside: Beside) -> str:
    """The SELECT of the written columns. ``source`` is a table function: both tables are read in step, and none is held."""
    from sqlglot import exp

    shown = []
    for name, at in zip(made.writes, made.ready, strict=True):
        column = made.query.expressions[at].unalias() if at >= 0 else exp.column(beside.names[name], _SIDE, quoted=True)
        shown.append(exp.alias_(column.copy().transform(_as_read, plan), name, quoted=True))
    return (
        f"{rendered(exp.select(*shown))} FROM {source} AS {quoted(SOURCE_ALIAS)} "
        f"POSITIONAL JOIN read_parquet({duck.path(beside.path)}) AS {quoted(_SIDE)}"
    )


def _as_read(node: exp.Expression, plan: FilePlan) -> exp.Expression:
    """Columns that masks see as texts."""
    from sqlglot import exp

    if isinstance(node, exp.Column) and node.table == SOURCE_ALIAS and node.name in plan.as_text:
        return exp.cast(node.copy(), "VARCHAR")
    return node
