"""The search by fingerprints that the databases make: which masked columns seem to stand where in the replica.

It sees all that is there, and more: values that tell of nobody too. What it finds is looked at again, value by value.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.cloner.prints import Membership
from dbmask.cloner.residue.places import Place, Searched, Sides, all_of, note_hits, searched
from dbmask.cloner.residue.texts import SHORT, inner_texts, long_numbers, long_texts, texts_of
from dbmask.errors import ConnectorError
from dbmask.planner import ColumnPlan, TablePlan
from dbmask.planner.telling import telling_among
from dbmask.schema import Kind, TableName
from dbmask.spi import PrintsTexts

if TYPE_CHECKING:
    import numpy as np
    from sqlglot import exp

    Hashes = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["suspects", "telling_columns"]

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


def suspects(
    plans: Sequence[TablePlan],
    columns: Mapping[TableName, Sequence[ColumnPlan]],
    places: Mapping[TableName, Sequence[Place]],
    sides: Sides,
) -> tuple[list[Searched], list[str]] | None:
    """The columns looked for, with the places where they seem to stand, and the names of those whose values are not telling.

    None where the two databases do not make the same fingerprints.
    """
    source, replica, seed = sides.source, sides.replica, secrets.randbits(62)
    if not (isinstance(source, PrintsTexts) and isinstance(replica, PrintsTexts) and _agree(source, replica, seed)):
        return None
    wanted: list[Searched] = []
    low: list[str] = []
    for plan in plans:
        tell = telling_columns(plan, columns[plan.name], sides)
        low += [f"{plan.name}.{c.column.name}" for c in columns[plan.name] if c not in tell]
        if tell:
            wanted += _wanted(plan, tell, source, sides, seed)
    low += [one.name for one in wanted if not len(one.hashes)]
    wanted = [one for one in wanted if len(one.hashes)]
    if wanted:
        every = all_of(wanted)
        for plan in plans:
            if places[plan.name]:
                _look(plan, places[plan.name], wanted, every, sides, seed)
    return wanted, low


def _agree(source: PrintsTexts, replica: PrintsTexts, seed: int) -> bool:
    """Whether both databases give the same fingerprints, to texts of any alphabet."""
    try:
        made = [side.prints_of(_PROBES, seed).tolist() for side in (source, replica)]
    except ConnectorError:  # without ICU, or in an encoding without these letters
        return False
    here, there = made
    return bool(here == there and here[0] == here[1] and here[2] == here[3])


def telling_columns(plan: TablePlan, fit: Sequence[ColumnPlan], sides: Sides) -> list[ColumnPlan]:
    """The columns of which half of a sample's values are telling; all where there is no key to take a sample by."""
    count = sides.rows.get(plan.name, 0)
    if not fit or count <= 2 * _SAMPLE:
        return list(fit)
    query = sides.of_source(plan, fit, count // _SAMPLE)
    if query.args.get("where") is None:
        return list(fit)
    seen, told = [0] * len(fit), [0] * len(fit)
    for batch in sides.source.read(query):
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


def _look(
    plan: TablePlan, places: Sequence[Place], wanted: Sequence[Searched], every: Membership, sides: Sides, seed: int
) -> None:
    """Look in the columns of a table, and at the words in those that hold more than one value."""
    source, replica = sides.source, sides.replica
    assert isinstance(source, PrintsTexts) and isinstance(replica, PrintsTexts)  # noqa: S101 - suspects has asked
    query = _without_short(sides.of_replica(plan, places), [p.column.column.type.kind for p in places])
    for batch in replica.read_prints(query, seed):
        for place, column in zip(places, batch.T, strict=True):
            place.seen += int((column != 0).sum())
            note_hits(place, every.among(column[column != 0]), wanted)
    wordy = [p for p in places if not p.whole and p.column.column.type.kind is not Kind.INTEGER]
    if not wordy:
        return
    held: list[list[str]] = [[] for _ in wordy]
    for texts in texts_of(sides.replica, sides.of_replica(plan, wordy)):
        for place, values, words in zip(wordy, texts, held, strict=True):
            inner = inner_texts(long_texts(values))
            place.seen += len(inner)
            words += telling_among(inner)
            if len(words) >= _WORDS:
                note_hits(place, every.among(source.prints_of(words, seed)), wanted)
                words.clear()
    for place, words in zip(wordy, held, strict=True):
        if words:
            note_hits(place, every.among(source.prints_of(words, seed)), wanted)
