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
from dbmask.cloner.residue.signs import SIGN, lacks_sign, looks
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
            tell, signed = telling_columns(plan, columns[plan.name], self.sides, source)
            self.low += [f"{plan.name}.{c.column.name}" for c in columns[plan.name] if c not in tell]
            if tell:
                self.wanted += _wanted(plan, tell, source, self.sides, self.seed, signed)
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
        for here, query in looks(self.sides, plan, places, self.wanted):
            self._look_at_prints(here, query, every, replica)
        wordy = [p for p in places if not p.whole and p.column.column.type.kind is not Kind.INTEGER]
        for here, query in looks(self.sides, plan, wordy, self.wanted):
            self._look_at_words(here, query, every, source, replica)

    def _look_at_prints(
        self, places: Sequence[Place], query: exp.Select, every: Membership, replica: PrintsTexts
    ) -> None:
        query = _without_short(query, [p.column.column.type.kind for p in places])
        for batch in replica.read_prints(query, self.seed):
            for place, column in zip(places, batch.T, strict=True):
                place.seen += int((column != 0).sum())
                note_hits(place, every.among(column[column != 0]), self.wanted)

    def _look_at_words(
        self, places: Sequence[Place], query: exp.Select, every: Membership, source: PrintsTexts, replica: Reader
    ) -> None:
        held: list[list[str]] = [[] for _ in places]
        for texts in texts_of(replica, query):
            for place, values, words in zip(places, texts, held, strict=True):
                inner = inner_texts(long_texts(values))
                place.seen += len(inner)
                words += telling_among(inner)
                if len(words) >= _WORDS:
                    note_hits(place, every.among(source.prints_of(words, self.seed)), self.wanted)
                    words.clear()
        for place, words in zip(places, held, strict=True):
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


def telling_columns(
    plan: TablePlan, fit: Sequence[ColumnPlan], sides: Sides, source: Reader
) -> tuple[list[ColumnPlan], bool]:
    """The columns of which half of a sample's values are telling; all where there is no key to take a sample by.

    Also whether all telling values of these may hold the sign, by the sample.
    """
    count = sides.rows.get(plan.name, 0)
    if not fit or count <= 5 * _SAMPLE:  # a look at a sample of less costs what all of it does
        return list(fit), True
    query = sides.of_source(plan, fit, count // _SAMPLE)
    if query.args.get("where") is None:
        return list(fit), True
    seen, told, signed = [0] * len(fit), [0] * len(fit), [0] * len(fit)
    for batch in source.read(query):
        for i, values in enumerate(batch):
            seen[i] += len(values) - values.count(None)
            number = fit[i].column.type.kind is Kind.INTEGER
            texts = long_numbers(values) if number else telling_among(long_texts(values))
            told[i] += len(texts)
            signed[i] += sum(SIGN in text for text in texts)
    chosen = [i for i in range(len(fit)) if 2 * told[i] >= seen[i]]
    return [fit[i] for i in chosen], all(told[i] == signed[i] for i in chosen)


def _wanted(
    plan: TablePlan, tell: Sequence[ColumnPlan], source: PrintsTexts, sides: Sides, seed: int, signed: bool
) -> list[Searched]:
    kinds = [c.column.type.kind for c in tell]
    query = sides.of_source(plan, tell)
    lacking = _lacking(query, kinds, sides.dialects[0]) if signed else {}
    query = _without_short(query, kinds)
    query.set("expressions", query.expressions + list(lacking.values()))
    parts: list[list[Hashes]] = [[] for _ in tell]
    holds = [i in lacking for i in range(len(tell))]
    for batch in source.read_prints(query, seed):
        columns = batch.T
        for prints, column in zip(parts, columns, strict=False):
            prints.append(column[column != 0])
        for i, without in zip(lacking, columns[len(tell) :], strict=True):
            holds[i] = holds[i] and not without.any()
    names = (f"{plan.name}.{c.column.name}" for c in tell)
    return [
        searched(n, p, sum(map(len, p)), sides.modulus(plan), h) for n, p, h in zip(names, parts, holds, strict=True)
    ]


def _lacking(query: exp.Select, kinds: Sequence[Kind], dialect: str) -> dict[int, exp.Expression]:
    """For the texts among a query's columns, by number: one column more, whose fingerprint is 0 where the value holds the sign."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import text

    made: dict[int, exp.Expression] = {}
    for i, (shown, kind) in enumerate(zip(query.expressions, kinds, strict=True)):
        if kind is Kind.TEXT:
            lack = exp.If(this=lacks_sign(shown.this, dialect), true=text("without the sign"))
            name = exp.to_identifier(f"c{len(kinds) + len(made)}", quoted=True)
            made[i] = exp.Alias(this=exp.Case(ifs=[lack]), alias=name)
    return made


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
