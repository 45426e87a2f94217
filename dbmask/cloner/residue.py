"""A search of the whole replica for values that masks should have taken away: under another name, in JSON, inside a text.

The values of masked columns are held as 64-bit keyed hashes (SipHash under a key of this process), not as values. Only
those that nobody has by chance are looked for: addresses of mail, long numbers, mixed codes, sentences. A first name that
stands in the replica proves nothing, since masks give first names too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.cloner.certificate import Check
from dbmask.cloner.prints import Membership, distinct, known_among
from dbmask.cloner.sampling import row_sample
from dbmask.errors import UsageError
from dbmask.planner import ColumnPlan, RunsIn, TablePlan
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.planner.select import relation
from dbmask.planner.telling import LEAST, telling_among, with_words, words
from dbmask.policy.model import Policy, TableMode
from dbmask.schema import Kind, TableName
from dbmask.spi import Reader, ReadsTexts

if TYPE_CHECKING:
    import numpy as np
    from sqlglot import exp

    Hashes = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["WHOLE_ROWS", "Searched", "allowed_residue", "search"]

WHOLE_ROWS = 10_000_000
"""Tables of up to so many rows are read whole; of larger ones about so many rows are read."""
_COMMON = 0.01
_SEARCHED = (Kind.TEXT, Kind.UUID, Kind.INTEGER)
_LOOKED_IN = (*_SEARCHED, Kind.JSON, Kind.OTHER)
_LEAST_DIGITS = 9
_SHORT = 10 ** (_LEAST_DIGITS - 1)
_BATCH = 2_000
"""Rows that are looked at together: few enough to stay in the processor's cache."""
_SEPARATOR = "\x1f"


@dataclass
class Searched:
    """One masked column: the hashes of its telling values, each once, sorted; how many values were read."""

    name: str
    hashes: Hashes
    seen: int
    modulus: int
    found: Counter[str] = field(default_factory=Counter)


@dataclass
class _Place:
    """A column of the replica that is looked in. ``allowed`` is the share of its values that may be equal to one of a masked column's."""

    name: str
    column: ColumnPlan
    whole: bool
    allowed: float
    seen: int = 0


def search(
    plans: Sequence[TablePlan],
    rows: Mapping[TableName, int],
    source: Reader,
    replica: Reader,
    dialects: tuple[str, str],
    allowed: Iterable[str] = (),
) -> tuple[list[Check], list[str]]:
    """Look for values of masked columns in every column of the replica.

    ``rows`` are the tables' sizes; ``allowed`` names columns ("schema.table.column") that may hold such values. Returns a
    check for each column whose values were looked for, and in words what was not looked for.
    """
    import numpy as np

    wanted, unseen = [], []
    for plan in plans:
        found, low = _searched(plan, rows.get(plan.name, 0), source, dialects[0])
        wanted += found
        unseen += low
    notes = []
    if unseen:
        notes.append(
            f"not searched for in the replica, since an equal value would prove nothing there: {', '.join(unseen)}"
        )
    if not wanted:
        return [], notes
    places: list[_Place] = []
    every = Membership(distinct(np.concatenate([w.hashes for w in wanted]))[0])
    skipped = set(allowed)
    for plan in plans:
        there = [p for p in _places(plan) if p.name not in skipped]
        notes += [
            f"{p.name}: not looked in, since its mask may leave any value as it is" for p in there if p.allowed >= 1
        ]
        there = [p for p in there if p.allowed < 1]
        notes += [f"{p.name}: allow_residue names it" for p in _places(plan) if p.name in skipped]
        if there:
            _look(plan, there, wanted, every, rows.get(plan.name, 0), replica, dialects[1])
            places += there
    return [_verdict(one, places) for one in wanted], notes


def allowed_residue(policy: Policy) -> list[str]:
    """The columns that the policy's ``allow_residue:`` names. Raises UsageError where it is no list of names."""
    named = policy.sections.get("allow_residue") or []
    if not isinstance(named, list) or not all(isinstance(n, str) for n in named):
        raise UsageError("`allow_residue:` is a list of columns, each schema.table.column")
    return list(named)


def _permutes(plan: TablePlan, column: str) -> bool:
    return any(column in u.bound.outputs and u.promises(column).permutes for u in plan.units)


def _searched(plan: TablePlan, count: int, reader: Reader, dialect: str) -> tuple[list[Searched], list[str]]:
    """The masked columns of a table whose values are telling, and the names of those whose values are not."""
    import numpy as np

    if plan.mode is not TableMode.MASK:
        return [], []
    there = {c.name for c in plan.table.columns}
    masked = [c for c in plan.columns if c.masked and c.runs_in is not RunsIn.DATABASE and c.column.name in there]
    fit = [c for c in masked if c.column.type.kind in _SEARCHED and not _permutes(plan, c.column.name)]
    low = [f"{plan.name}.{c.column.name}" for c in masked if c not in fit]
    if not fit:
        return [], low
    modulus = max(1, count // WHOLE_ROWS)
    query = _select(plan, [c.column.name for c in fit], dialect, modulus, plan.table.primary_key)
    query = query if plan.picked is None else query.where(plan.picked.copy())
    hashes: list[list[Hashes]] = [[] for _ in fit]
    present = [0] * len(fit)
    for batch in _texts(reader, query):
        for i, values in enumerate(batch):
            present[i] += len(values) - values.count(None)
            number = fit[i].column.type.kind is Kind.INTEGER
            hashes[i].append(_hashed(_numbers(values) if number else telling_among(_long_texts(values))))
    made = []
    for c, parts, seen in zip(fit, hashes, present, strict=True):
        name = f"{plan.name}.{c.column.name}"
        all_of = np.concatenate(parts) if parts else np.empty(0, np.int64)
        each, times = distinct(all_of)
        each = each[times <= max(20, _COMMON * len(all_of))]  # what so many have is nobody's
        if 2 * len(all_of) < seen or not len(each):
            low.append(name)
        else:
            made.append(Searched(name, each, seen, modulus))
    return made, low


def _select(plan: TablePlan, columns: Sequence[str], dialect: str, modulus: int, key: Sequence[str]) -> exp.Select:
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    query = exp.select(*(exp.alias_(column(n, SOURCE_ALIAS), f"c{i}", quoted=True) for i, n in enumerate(columns)))
    query = query.from_(relation(plan.table))
    types = [c.column.type for name in key for c in plan.columns if c.column.name == name]
    if modulus == 1 or len(types) < len(key) or not key:
        return query
    picked = row_sample([column(n, SOURCE_ALIAS) for n in key], types, dialect, modulus)
    return query if picked is None else query.where(picked)


def _places(plan: TablePlan) -> list[_Place]:
    """The columns of the replica's table, each with what chance may do there."""
    if plan.mode is TableMode.EMPTY:
        return []
    made = []
    drawn = [c for c in plan.columns if c.masked and c.runs_in in (RunsIn.SQL, RunsIn.PYTHON)]
    forms = any(c.unchanged > 0 for c in drawn)
    for c in plan.columns:
        type_ = c.out_type if c.runs_in in (RunsIn.SQL, RunsIn.PYTHON) else c.column.type
        if c.runs_in is RunsIn.NOWHERE or type_.kind not in _LOOKED_IN:
            continue
        name = f"{plan.name}.{c.column.name}"
        if c.runs_in is RunsIn.DATABASE:  # made of masked values, which may be of the form of raw ones
            made.append(_Place(name, c, False, 0.5 if forms else 0.0))
        elif not c.masked:
            made.append(_Place(name, c, False, 0.0))
        else:
            made.append(_Place(name, c, True, _chance(plan, c)))
    return made


def _chance(plan: TablePlan, column: ColumnPlan) -> float:
    """The share of a masked column's values that may be equal to raw ones: its mask's, or by the likeness of its form."""
    if column.unchanged == 0:
        return 0.0
    if any(column.column.name in u.bound.outputs and hasattr(u.bound, "stays") and u.bound.stays for u in plan.units):
        return 0.5  # numbers of one form are dense where many have one; rows are compared one by one elsewhere
    return column.unchanged


def _look(
    plan: TablePlan,
    places: list[_Place],
    wanted: Sequence[Searched],
    every: Membership,
    count: int,
    reader: Reader,
    dialect: str,
) -> None:
    modulus = max(1, count // WHOLE_ROWS)
    key = plan.table.primary_key if set(plan.table.primary_key) <= set(plan.writes) else ()
    query = _select(plan, [p.column.column.name for p in places], dialect, modulus, key)
    for batch in _texts(reader, query):
        for place, values in zip(places, batch, strict=True):
            hits = every.among(_hashed(_present(place, values)))
            if not len(hits):
                continue
            for one in wanted:
                found = len(known_among(hits, one.hashes))
                if found:
                    one.found[place.name] += found


def _present(place: _Place, values: Sequence[Any]) -> list[str]:
    """The texts of a column that could be one of those looked for, equal ones once: whole, or the words and JSON leaves in them too."""
    try:
        once: Iterable[Any] = dict.fromkeys(values)
    except TypeError:  # JSON that came parsed
        once = values
    kind = place.column.column.type.kind
    texts = _numbers(once) if kind is Kind.INTEGER else _long_texts(once)
    if 0 < place.allowed < 1 and kind is not Kind.INTEGER:
        texts = telling_among(texts)  # the share that chance may leave is one of telling values
    place.seen += len(texts)
    if place.whole or kind is Kind.INTEGER:
        return texts
    inner = [w for t in with_words(texts) for w in _inner(t) if len(w) >= LEAST]
    place.seen += len(inner)
    return texts + inner


def _hashed(texts: list[str]) -> Hashes:
    """Hashes of texts whose case, and blanks around them, do not count."""
    import numpy as np

    folded = _SEPARATOR.join(texts).casefold().split(_SEPARATOR)
    if len(folded) != len(texts):
        folded = [t.casefold() for t in texts]
    return np.fromiter(map(hash, map(str.strip, folded)), np.int64, len(folded))


def _texts(reader: Reader, query: exp.Select) -> Iterator[Sequence[Sequence[Any]]]:
    """The columns of a query, as texts where the reader gives them so."""
    if isinstance(reader, ReadsTexts):
        yield from reader.read_texts(query)
    else:
        yield from reader.read(query, _BATCH)


def _numbers(values: Iterable[Any]) -> list[str]:
    """Long whole numbers, which a reader gives as such or as texts."""
    values = list(values)
    if set(map(type, values)) == {int} and min(values) > -_SHORT and max(values) < _SHORT:
        return []
    known = [str(v) for v in values if v is not None and v.__class__ in (int, str)]
    return [t for t in known if len(t) - t.startswith("-") >= _LEAST_DIGITS]


def _long_texts(values: Iterable[Any]) -> list[str]:
    texts = list(values)
    if set(map(type, texts)) != {str}:
        texts = [v if v.__class__ is str else _as_text(v) for v in texts if v is not None]
    return [t for t in texts if len(t) >= LEAST]


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _inner(text: str) -> list[str]:
    """What a text holds: the leaves of a JSON document, or else its words."""
    if text[0] in '{["':
        try:
            return _leaves(json.loads(text))
        except (ValueError, RecursionError):
            pass
    return words(text)


def _leaves(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [leaf for v in data.values() for leaf in _leaves(v)]
    if isinstance(data, list):
        return [leaf for v in data for leaf in _leaves(v)]
    if isinstance(data, str):
        return [data, *words(data)]
    return [str(data)] if isinstance(data, int) and not isinstance(data, bool) else []


def _verdict(one: Searched, places: Sequence[_Place]) -> Check:
    by_name = {p.name: p for p in places}
    bad = {n: c for n, c in one.found.items() if c > by_name[n].allowed * by_name[n].seen}
    values = sum(p.seen for p in places)
    looked = "every row" if one.modulus == 1 else f"1 of {one.modulus:,} rows"
    told = f"{len(one.hashes):,} values looked for in {len(places):,} columns ({looked})"
    if not bad:
        found = f"none found where it should not be; {told}"
    else:
        where = ", ".join(
            f"{n} ({c:,} times; {by_name[n].column.mask})" for n, c in sorted(bad.items(), key=lambda i: (-i[1], i[0]))
        )
        found = f"its values stand in {where}; {told}. Mask that column too, or name it under `allow_residue:`"
    figures = {"seen": one.seen, "searched": len(one.hashes), "compared": values, "found": sum(bad.values())}
    return Check("residue", one.name, not bad, found, {**figures, "sampled_1_in": one.modulus})
