"""The search by fingerprints that the databases make: which masked columns seem to stand where in the replica.

It sees all that is there, and more: values that tell of nobody too. What it finds is looked at again, value by value.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.cloner.prints import Membership
from dbmask.cloner.residue.places import Place, Searched, Sides, all_of, note_hits, searched
from dbmask.cloner.residue.texts import SHORT, inner_texts, long_numbers, long_texts, texts_of
from dbmask.errors import ConnectorError
from dbmask.planner import ColumnPlan, TablePlan
from dbmask.planner.telling import telling_among
from dbmask.schema import Kind, TableName
from dbmask.spi import PrintsTexts, Reader

if TYPE_CHECKING:
    import numpy as np
    from sqlglot import exp

    Hashes = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Suspects", "telling_columns"]

_SAMPLE = 20_000
"""About how many rows of a larger table tell whether a column's values are telling."""
_PROBES = (
    "Example Value 1",
    "example value 1 ",
    "\tP\u0158\u00cdLI\u0160 \u017dlu\u0165",
    "p\u0159\u00edli\u0161 \u017elu\u0165",
)
_WORDS = 100_000
"""Words that are asked for at once."""


@dataclass
class Suspects:
    """The columns that are looked for, by the fingerprints that the source makes under ``seed``."""

    sides: Sides
    seed: int = field(default_factory=lambda: secrets.randbits(62))
    wanted: list[Searched] = field(default_factory=list)
    low: list[str] = field(default_factory=list)
    """The names of columns whose values are not telling."""

    def gather(
        self, plans: Sequence[TablePlan], columns: Mapping[TableName, Sequence[ColumnPlan]], source: Reader
    ) -> None:
        """Read the source. Raises ConnectorError."""
        assert isinstance(source, PrintsTexts)  # noqa: S101 - the caller has asked
        for plan in plans:
            tell = telling_columns(plan, columns[plan.name], self.sides, source)
            self.low += [f"{plan.name}.{c.column.name}" for c in columns[plan.name] if c not in tell]
            if tell:
                self.wanted += _wanted(plan, tell, source, self.sides, self.seed)
        self.low += [one.name for one in self.wanted if not len(one.hashes)]
        self.wanted = [one for one in self.wanted if len(one.hashes)]

    def can(self, source: Reader) -> bool:
        """Whether the database makes fingerprints of texts of any alphabet."""
        here = _probed(source, self.seed)
        return bool(here and here[0] == here[1] and here[2] == here[3])

    def agree(self, source: Reader, replica: Reader) -> bool:
        """Whether the replica makes the fingerprints that the source makes."""
        return _probed(source, self.seed) == _probed(replica, self.seed) != []

    def look(
        self, plans: Sequence[TablePlan], places: Mapping[TableName, Sequence[Place]], source: Reader, replica: Reader
    ) -> None:
        """Note where the columns seem to stand in the replica. Raises ConnectorError."""
        assert isinstance(source, PrintsTexts)  # noqa: S101 - agree has asked
        if self.wanted:
            every = all_of(self.wanted)
            for plan in plans:
                if places[plan.name]:
                    self._look(plan, places[plan.name], every, source, replica)

    def _look(
        self, plan: TablePlan, places: Sequence[Place], every: Membership, source: PrintsTexts, replica: Reader
    ) -> None:
        """Look in the columns of a table, and at the words in those that hold more than one value."""
        assert isinstance(replica, PrintsTexts)  # noqa: S101 - agree has asked
        query = _without_short(self.sides.of_replica(plan, places), [p.column.column.type.kind for p in places])
        for batch in replica.read_prints(query, self.seed):
            for place, column in zip(places, batch.T, strict=True):
                place.seen += int((column != 0).sum())
                note_hits(place, every.among(column[column != 0]), self.wanted)
        wordy = [p for p in places if not p.whole and p.column.column.type.kind is not Kind.INTEGER]
        if not wordy:
            return
        held: list[list[str]] = [[] for _ in wordy]
        for texts in texts_of(replica, self.sides.of_replica(plan, wordy)):
            for place, values, words in zip(wordy, texts, held, strict=True):
                inner = inner_texts(long_texts(values))
                place.seen += len(inner)
                words += telling_among(inner)
                if len(words) >= _WORDS:
                    note_hits(place, every.among(source.prints_of(words, self.seed)), self.wanted)
                    words.clear()
        for place, words in zip(wordy, held, strict=True):
            if words:
                note_hits(place, every.among(source.prints_of(words, self.seed)), self.wanted)


def _probed(reader: Reader, seed: int) -> list[int]:
    """A database's fingerprints of the probes; none where it makes none."""
    if not isinstance(reader, PrintsTexts):
        return []
    try:
        made: list[int] = reader.prints_of(_PROBES, seed).tolist()
    except ConnectorError:  # without ICU, or in an encoding without these letters
        return []
    return made


def telling_columns(plan: TablePlan, fit: Sequence[ColumnPlan], sides: Sides, source: Reader) -> list[ColumnPlan]:
    """The columns of which half of a sample's values are telling; all where there is no key to take a sample by."""
    count = sides.rows.get(plan.name, 0)
    if not fit or count <= 2 * _SAMPLE:
        return list(fit)
    query = sides.of_source(plan, fit, count // _SAMPLE)
    if query.args.get("where") is None:
        return list(fit)
    seen, told = [0] * len(fit), [0] * len(fit)
    for batch in source.read(query):
        for i, values in enumerate(batch):
            seen[i] += len(values) - values.count(None)
            number = fit[i].column.type.kind is Kind.INTEGER
            told[i] += len(long_numbers(values) if number else telling_among(long_texts(values)))
    return [c for c, n, of in zip(fit, told, seen, strict=True) if 2 * n >= of]


def _wanted(
    plan: TablePlan, tell: Sequence[ColumnPlan], source: PrintsTexts, sides: Sides, seed: int
) -> list[Searched]:
    query = _without_short(sides.of_source(plan, tell), [c.column.type.kind for c in tell])
    parts: list[list[Hashes]] = [[] for _ in tell]
    for batch in source.read_prints(query, seed):
        for prints, column in zip(parts, batch.T, strict=True):
            prints.append(column[column != 0])
    names = (f"{plan.name}.{c.column.name}" for c in tell)
    return [searched(n, p, sum(map(len, p)), sides.modulus(plan)) for n, p in zip(names, parts, strict=True)]


def _without_short(query: exp.Select, kinds: Sequence[Kind]) -> exp.Select:
    """The query with NULL for whole numbers that are too short to tell of anybody."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer

    def long(alias: exp.Expr) -> exp.Expr:
        value = alias.this
        short = exp.Between(this=value.copy(), low=integer(1 - SHORT), high=integer(SHORT - 1))
        return exp.alias_(exp.Case(ifs=[exp.If(this=exp.not_(short), true=value)]), alias.alias, quoted=True)

    shown = [long(p) if k is Kind.INTEGER else p for p, k in zip(query.expressions, kinds, strict=True)]
    query.set("expressions", shown)
    return query
