"""From a database to proposals: names and sampled values say what columns hold, the planner says which masks fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dbmask.discover.candidates import candidates
from dbmask.discover.labels import label_of_name
from dbmask.discover.values import holds_people, label_of_values
from dbmask.masks.build import example_keys
from dbmask.planner import build_plan
from dbmask.policy import Policy
from dbmask.schema import Column, Kind, Schema, Table, TableKind, TableName
from dbmask.spi import Reader, Source

if TYPE_CHECKING:
    from dbmask.errors import Problem

__all__ = ["ColumnProposal", "Proposal", "propose"]

SAMPLE = 1_000
"""How many rows of a table are looked at."""
_FEW = 20
"""A column with at most so many different values, each seen several times, holds codes."""
_LONG = 40
"""Texts longer than this on average are sentences."""


@dataclass(frozen=True)
class ColumnProposal:
    """A column, what it seems to hold and why, and the masks that may stand on it, best first; ``keep`` is one."""

    column: Column
    label: str
    reason: str
    masks: tuple[Any, ...]

    @property
    def mask(self) -> Any:
        """The mask proposed, as a policy writes it; None where none is known to fit."""
        return self.masks[0] if self.masks else None


@dataclass(frozen=True)
class Proposal:
    """What is proposed for each column that needs a line, table by table."""

    schema: Schema
    tables: Mapping[TableName, tuple[ColumnProposal, ...]]

    def data(self) -> dict[str, Any]:
        """The proposal as a policy's data."""
        from dbmask.discover.draft import column_key

        tables = {}
        for name, columns in self.tables.items():
            lines = {column_key(c.column.name): c.mask for c in columns if c.mask is not None}
            tables[str(name)] = {"columns": lines}
        return {"version": 1, "tables": tables}


def propose(source: Source) -> Proposal:
    """Look at an open database and propose a mask for every column. Raises ConnectorError where it cannot be read."""
    schema = source.schema()
    unreadable = source.privileges(list(schema.tables))
    listed = [t for t in schema.tables.values() if t.kind not in (TableKind.PARTITION, TableKind.FOREIGN)]
    referred = {key.ref_table for table in listed for key in table.foreign_keys}
    tables = {}
    with source.snapshot() as reader:
        for table in listed:
            sample = {} if table.name in unreadable else _sample(reader, table)
            tables[table.name] = _table(table, sample, table.name in referred)
    return _fitted(Proposal(schema, tables), source)


def _sample(reader: Reader, table: Table) -> dict[str, list[str]]:
    """The texts of the first rows, by column; NULL and empty ones left out."""
    from sqlglot import exp

    from dbmask.planner.select import relation
    from dbmask_sql.dialects.base import column as ref

    wanted = [c.name for c in table.columns if c.type.kind is Kind.TEXT]
    if not wanted:
        return {}
    query = exp.select(*[ref(name, "dbmask_src") for name in wanted]).from_(relation(table)).limit(SAMPLE)
    found: dict[str, list[str]] = {name: [] for name in wanted}
    for batch in reader.read(query):
        for name, values in zip(wanted, batch, strict=True):
            found[name] += [text for v in values if v is not None and (text := str(v).strip())]
    return found


def _table(table: Table, sample: Mapping[str, Sequence[str]], referred: bool) -> tuple[ColumnProposal, ...]:
    follows = {c for key in table.foreign_keys for c in key.columns}
    found = [
        (column, *_label(column, sample.get(column.name, ())))
        for column in table.columns
        if column.name not in follows and not column.generated
    ]
    personal = {label for _, label, _ in found if label not in ("unknown", "code", "")}
    listing = referred and not table.foreign_keys and len(table.columns) <= 4 and not personal
    names = [(c.name, label) for c, label, _ in found if label in ("first_name", "last_name", "full_name", "email")]
    keys = {c for u in table.uniques for c in u.columns}
    made = []
    for column, label, reason in found:
        if column.filled:
            made.append(ColumnProposal(column, label, "a trigger fills it", ("recompute",)))
        elif label == "unknown" and listing and not holds_people(sample.get(column.name, ())):
            made.append(ColumnProposal(column, "code", "of a short list that others refer to", ("keep",)))
        elif label in ("", "code"):
            made.append(ColumnProposal(column, label, reason, ("keep",)))
        else:
            masks = candidates(label, column, column.name in keys, names)
            made.append(ColumnProposal(column, label, reason, tuple(masks)))
    return tuple(made)


def _label(column: Column, values: Sequence[str]) -> tuple[str, str]:
    """What a column holds, and why; "" says that nothing speaks against keeping it, "unknown" that nothing speaks for it."""
    named = label_of_name(column.name)
    kind = column.type.kind
    if kind is Kind.TEXT:
        return _text_label(named, values)
    if kind in (Kind.BOOLEAN, Kind.ENUM):
        return "", f"a {kind.value}"
    if column.type.is_temporal:
        return ("birth", "named so") if named == "birth" else ("", "a date, and not of birth by its name")
    if kind in (Kind.JSON, Kind.BYTES, Kind.ARRAY, Kind.OTHER):
        return "unknown", f"{kind.value}: nobody has looked inside"
    if named in (None, "free_text", "birth", "address"):
        return "", "a number" if kind is not Kind.UUID else "an identifier"
    return str(named), "named so"


def _text_label(named: str | None, values: Sequence[str]) -> tuple[str, str]:
    distinct = sorted(set(values))
    seen = label_of_values(distinct)
    if seen and (named is None or seen in ("email", "card", "iban", "birth_number")):
        return seen, f"{len(distinct):,} sampled values say so"
    average = sum(map(len, distinct)) / len(distinct) if distinct else 0
    if named == "free_text" and 0 < average < _LONG / 2 and len(distinct) > _FEW:
        named = None
    if named:
        return named, "named so"
    if average > _LONG:
        return "free_text", f"texts of {average:,.0f} characters"
    if len(values) >= 3 * _FEW and len(distinct) <= _FEW:
        return "code", f"{len(distinct)} different values in {len(values):,}"
    return "unknown", "nothing says what it holds" if distinct else "no values to look at"


def _fitted(proposal: Proposal, source: Source) -> Proposal:
    """The proposal with, for each column, the first mask that the planner accepts."""
    keys = example_keys()
    while True:
        policy = Policy.from_dict(proposal.data())
        problems = build_plan(policy, proposal.schema, source.capabilities, keys=keys).problems
        blamed = _blamed(proposal, problems)
        if not blamed:
            return proposal
        tables = {
            name: tuple(
                replace(c, masks=c.masks[1:]) if (name, c.column.name) in blamed and c.masks else c for c in columns
            )
            for name, columns in proposal.tables.items()
        }
        proposal = Proposal(proposal.schema, tables)


def _blamed(proposal: Proposal, problems: Sequence[Problem]) -> set[tuple[TableName, str]]:
    """The columns that problems name and that still have a mask to lose."""
    places = {
        f"{name}.{c.column.name}": (name, c.column.name)
        for name, columns in proposal.tables.items()
        for c in columns
        if c.masks
    }
    return {places[p] for p in (problem.where.partition(" [")[0] for problem in problems) if p in places}
