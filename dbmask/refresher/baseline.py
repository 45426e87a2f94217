"""What a refresh leaves for the next one to compare with: plain facts, sealed, in the state database.

The replica carries the token of the baseline that speaks of it, written in the same transaction as its rows. A baseline
whose transaction did not commit is never found again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dbmask import __version__
from dbmask.cloner.copying import TableJob
from dbmask.schema import Schema, TableName
from dbmask.spi import ComparableSource, PartSum, Reader, Structure
from dbmask.state.seal import Sealer
from dbmask.state.store import State

__all__ = [
    "PART_ROWS",
    "Baseline",
    "Facts",
    "columns_of",
    "key_of",
    "load",
    "measured",
    "save",
    "structure_digest",
    "table_digest",
]

PART_ROWS = 2000
"""About how many rows are compared at once."""


@dataclass
class Facts:
    """One table: what its rows were made by, how many the replica has, and its parts (rows and checksum of raw values).

    ``bounds`` and ``highest`` are raw values as text: they are never stored but sealed.
    """

    digest: str
    rows: int
    bounds: list[str] = field(default_factory=list)
    parts: list[tuple[int, str]] = field(default_factory=list)
    highest: str | None = None
    column: str = ""


@dataclass
class Baseline:
    """One job's replica at the end of a run. ``known`` are the source's tables and columns, ``written`` is the target's own."""

    structure: str
    keys: str
    version: str
    source: str
    target: str
    moment: str
    written: str
    known: dict[str, list[str]]
    tables: dict[TableName, Facts] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))


def save(state: State, sealer: Sealer, job: str, baseline: Baseline) -> None:
    """Keep a baseline under its token, sealed by table."""
    general = {k: v for k, v in vars(baseline).items() if k not in ("tables", "token")}
    parts: dict[str, Any] = {"": general} | {str(n): asdict(f) for n, f in baseline.tables.items()}
    sealed = {name: sealer.seal(value, f"{baseline.token} {name}") for name, value in parts.items()}
    state.set_baseline(baseline.token, job, sealed)


def load(state: State, sealer: Sealer, job: str, token: str) -> Baseline | None:
    """The baseline of a token; None where there is none. Raises UsageError where it was sealed by another key."""
    found = state.baseline(token, job)
    if "" not in found:
        return None
    opened = {name: sealer.open(data, f"{token} {name}") for name, data in found.items()}
    made = Baseline(**opened.pop(""), token=token)
    for name, facts in opened.items():
        made.tables[TableName.parse(name)] = Facts(**{**facts, "parts": [(r, s) for r, s in facts["parts"]]})
    return made


def key_of(job: TableJob) -> tuple[str, ...]:
    """The primary key, where the replica has all of it; else nothing."""
    key = job.plan.table.primary_key
    return key if set(key) <= set(job.target.columns) else ()


def read_columns(job: TableJob) -> list[str]:
    """The source's columns that the replica's rows follow from."""
    read = {name for unit in job.plan.units for name in unit.bound.inputs}
    return [c.name for c in job.plan.table.columns if c.name in read]


def measured(
    source: ComparableSource, reader: Reader, job: TableJob, sealer: Sealer, column: str = ""
) -> tuple[list[str], list[tuple[int, str]], str | None]:
    """Bounds, rows and keyed checksums of a table's parts, and the highest value of ``column`` where one is given."""
    table, key = job.plan.table, key_of(job)
    bounds = source.bounds(reader, table, key[0], PART_ROWS) if key else []
    sums = source.part_sums(reader, table, key[0] if key else "", bounds, "", read_columns(job))
    highest = source.highest(reader, table, column) if column else None
    return bounds, [(s.rows, keyed(s, sealer)) for s in sums], highest


def keyed(part: PartSum, sealer: Sealer) -> str:
    """A part's checksum as it may be stored."""
    return sealer.checksum((part.sum or "").encode()).hex() if part.rows else ""


def columns_of(schema: Schema) -> dict[str, list[str]]:
    """The names of all tables and columns."""
    return {str(n): [c.name for c in t.columns] for n, t in schema.tables.items()}


def table_digest(job: TableJob) -> str:
    """What a table's masked rows are made by, but for the keys."""
    parts = [job.reading.query.sql(), repr(job.reading.ready), *(repr(u.mask) for u in job.plan.units)]
    return _digest(parts)


def structure_digest(structure: Structure, jobs: Mapping[TableName, TableJob]) -> str:
    """What the replica's tables are like."""
    parts = ["pre", *structure.pre, "post", *structure.post]
    for target in sorted(structure.tables, key=lambda t: str(t.name)):
        parts += [str(target.name), repr((target.columns, target.dropped, sorted(target.types.items()), target.rows))]
        parts.append(repr(target.name in jobs))
    return _digest(parts)


def _digest(parts: Sequence[str]) -> str:
    made = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()


VERSION = __version__
