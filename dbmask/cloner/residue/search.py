"""A search of the whole replica for values that masks should have taken away: under another name, in JSON, inside a text.

The values of masked columns are held as 64-bit keyed hashes (SipHash under a key of this process), not as values. Only
those that nobody has by chance are looked for: addresses of mail, long numbers, mixed codes, sentences. A first name that
stands in the replica proves nothing, since masks give first names too.

Where both databases make the same fingerprints, they are compared first, and what is looked at here is what they leave in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.cloner.certificate import Check
from dbmask.cloner.residue.places import Place, Searched, Sides, all_of, fit_columns, note_hits, places_of, searched
from dbmask.cloner.residue.signs import SIGN, looks
from dbmask.cloner.residue.suspects import Suspects, telling_columns
from dbmask.cloner.residue.texts import inner_texts, long_numbers, long_texts, texts_of
from dbmask.errors import UsageError
from dbmask.planner import ColumnPlan, TablePlan
from dbmask.planner.telling import telling_among
from dbmask.policy.model import Policy
from dbmask.schema import Kind, TableName
from dbmask.spi import Reader

if TYPE_CHECKING:
    import numpy as np

    Hashes = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Search", "allowed_residue", "search"]

_SEPARATOR = "\x1f"


def search(
    plans: Sequence[TablePlan],
    rows: Mapping[TableName, int],
    source: Reader,
    replica: Reader,
    dialects: tuple[str, str],
    allowed: Iterable[str] = (),
) -> tuple[list[Check], list[str]]:
    """Look for values of masked columns in every column of the replica: both halves of a :class:`Search`, one after the other."""
    made = Search(plans, rows, dialects, allowed)
    made.gather(source)
    return made.look(source, replica)


class Search:
    """A search in two halves: what is looked for is gathered from the source, before there is a replica to look in.

    ``rows`` are the tables' sizes; ``allowed`` names columns ("schema.table.column") that may hold such values.
    """

    def __init__(
        self,
        plans: Sequence[TablePlan],
        rows: Mapping[TableName, int],
        dialects: tuple[str, str],
        allowed: Iterable[str] = (),
    ) -> None:
        self._plans, self._skipped, self._sides = plans, set(allowed), Sides(rows, dialects)
        self._columns: dict[TableName, list[ColumnPlan]] = {}
        self._unfit: list[str] = []
        for plan in plans:
            self._columns[plan.name], low = fit_columns(plan)
            self._unfit += low
        self._suspects: Suspects | None = None
        self._values: _Values | None = None

    def gather(self, source: Reader) -> None:
        """Read what is looked for. Raises ConnectorError."""
        suspects, (here, there) = Suspects(self._sides), self._sides.dialects
        if here == there and suspects.can(source):
            suspects.gather(self._plans, self._columns, source)
            self._suspects = suspects
        else:
            self._values = _Values(self._plans, self._columns, self._sides, source)

    def look(self, source: Reader, replica: Reader) -> tuple[list[Check], list[str]]:
        """A check for each column whose values were looked for, and in words what was not looked for. Raises ConnectorError."""
        places, notes = self._places()
        wanted, unseen = self._found(places, source, replica)
        unseen = self._unfit + unseen
        if unseen:
            notes.insert(
                0,
                f"not searched for in the replica, since an equal value would prove nothing there: {', '.join(unseen)}",
            )
        if not wanted:
            return [], notes[: bool(unseen)]
        looked_in = [p for some in places.values() for p in some]
        return [_verdict(one, looked_in) for one in wanted], notes

    def _places(self) -> tuple[dict[TableName, list[Place]], list[str]]:
        """Where is looked, and in words where not."""
        notes: list[str] = []
        places: dict[TableName, list[Place]] = {}
        for plan in self._plans:
            every = places_of(plan)
            there = [p for p in every if p.name not in self._skipped]
            notes += [
                f"{p.name}: not looked in, since its mask may leave any value as it is" for p in there if p.allowed >= 1
            ]
            notes += [f"{p.name}: allow_residue names it" for p in every if p.name in self._skipped]
            places[plan.name] = [p for p in there if p.allowed < 1]
        return places, notes

    def _found(
        self, places: dict[TableName, list[Place]], source: Reader, replica: Reader
    ) -> tuple[list[Searched], list[str]]:
        """The columns that were looked for with what was found, and the names of those that were not."""
        first = self._suspects
        if first is None or not first.agree(source, replica):
            values = self._values or _Values(self._plans, self._columns, self._sides, source)
            values.look(places, replica)
            return values.wanted, values.low
        first.look(self._plans, places, source, replica)
        doubted = {one.name for one in first.wanted if one.found}
        if not doubted:
            return first.wanted, first.low
        in_doubt = {name for one in first.wanted for name in one.found}
        for some in places.values():
            for place in some:
                place.seen = 0 if place.name in in_doubt else place.seen
        columns = {n: [c for c in cs if f"{n}.{c.column.name}" in doubted] for n, cs in self._columns.items()}
        values = _Values(self._plans, columns, self._sides, source)
        values.look({n: [p for p in some if p.name in in_doubt] for n, some in places.items()}, replica)
        exact = {one.name: one for one in values.wanted}
        return [exact.get(w.name, w) for w in first.wanted if w.name not in values.low], first.low + values.low


def allowed_residue(policy: Policy) -> list[str]:
    """The columns that the policy's ``allow_residue:`` names. Raises UsageError where it is no list of names."""
    named = policy.sections.get("allow_residue") or []
    if not isinstance(named, list) or not all(isinstance(n, str) for n in named):
        raise UsageError("`allow_residue:` is a list of columns, each schema.table.column")
    return list(named)


class _Values:
    """The telling values of ``columns``, each of which is looked at; the names of columns that have none are ``low``."""

    def __init__(
        self,
        plans: Sequence[TablePlan],
        columns: Mapping[TableName, Sequence[ColumnPlan]],
        sides: Sides,
        source: Reader,
    ) -> None:
        self._plans, self._sides = plans, sides
        self.wanted: list[Searched] = []
        self.low: list[str] = []
        for plan in plans:
            if columns[plan.name]:
                self._gather(plan, columns[plan.name], source)

    def _gather(self, plan: TablePlan, fit: Sequence[ColumnPlan], source: Reader) -> None:
        tell, _ = telling_columns(plan, fit, self._sides, source)
        self.low += [f"{plan.name}.{c.column.name}" for c in fit if c not in tell]
        if not tell:
            return
        hashes: list[list[Hashes]] = [[] for _ in tell]
        present, signed = [0] * len(tell), [True] * len(tell)
        for batch in texts_of(source, self._sides.of_source(plan, tell)):
            for i, values in enumerate(batch):
                present[i] += len(values) - values.count(None)
                number = tell[i].column.type.kind is Kind.INTEGER
                texts = long_numbers(values) if number else telling_among(long_texts(values))
                signed[i] = signed[i] and all(SIGN in text for text in texts)
                hashes[i].append(_hashed(texts))
        for c, parts, seen, all_of_them in zip(tell, hashes, present, signed, strict=True):
            one = searched(f"{plan.name}.{c.column.name}", parts, seen, self._sides.modulus(plan), all_of_them)
            if 2 * sum(map(len, parts)) < seen or not len(one.hashes):
                self.low.append(one.name)
            else:
                self.wanted.append(one)

    def look(self, places: Mapping[TableName, Sequence[Place]], replica: Reader) -> None:
        """Note in which places they stand."""
        if not self.wanted:
            return
        every = all_of(self.wanted)
        for plan in self._plans:
            for here, query in looks(self._sides, plan, places[plan.name], self.wanted):
                for batch in texts_of(replica, query):
                    for place, values in zip(here, batch, strict=True):
                        note_hits(place, every.among(_hashed(_present(place, values))), self.wanted)


def _present(place: Place, values: Sequence[Any]) -> list[str]:
    """The texts of a column that could be one of those looked for, equal ones once: whole, or the words and JSON leaves in them too."""
    try:
        once: Iterable[Any] = dict.fromkeys(values)
    except TypeError:  # JSON that came parsed
        once = values
    kind = place.column.column.type.kind
    texts = long_numbers(once) if kind is Kind.INTEGER else long_texts(once)
    if 0 < place.allowed < 1 and kind is not Kind.INTEGER:
        texts = telling_among(texts)  # the share that chance may leave is one of telling values
    place.seen += len(texts)
    if place.whole or kind is Kind.INTEGER:
        return texts
    inner = inner_texts(texts)
    place.seen += len(inner)
    return texts + inner


def _hashed(texts: list[str]) -> Hashes:
    """Hashes of texts whose case, and blanks around them, do not count."""
    import numpy as np

    folded = _SEPARATOR.join(texts).casefold().split(_SEPARATOR)
    if len(folded) != len(texts):
        folded = [t.casefold() for t in texts]
    return np.fromiter(map(hash, map(str.strip, folded)), np.int64, len(folded))


def _verdict(one: Searched, places: Sequence[Place]) -> Check:
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
