"""Tables of names, and the keyed choice from them: which names may come out for a name, in Python and in SQL.

A :class:`Book` answers for one column and one gender: the names it knows fall into pools, each with the names that may
stand for them; all others share the rest. The tables of the package are made by scripts/make_names.py.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dbmask.errors import BindError
from dbmask_sql.casing import lower, upper

if TYPE_CHECKING:
    from dbmask_sql.dialects import Dialect
    from dbmask_sql.dialects.base import E

__all__ = [
    "FEMALE",
    "LOCALES",
    "MALE",
    "Book",
    "Pool",
    "Table",
    "book",
    "builtin",
    "cased",
    "read_file",
    "stem",
    "stem_sql",
]

LOCALES = ("en", "cs", "fr")
MALE = (
    "m",
    "male",
    "man",
    "boy",
    "mr",
    "mr.",
    "muž",
    "muz",
    "pan",
    "h",
    "homme",
    "masculin",
    "m.",
    "männlich",
    "mann",
    "1",
)
FEMALE = (
    *("f", "female", "woman", "girl", "mrs", "mrs.", "ms", "ms.", "miss", "žena", "zena", "ž", "z", "paní", "pani"),
    *("femme", "féminin", "feminin", "mme", "weiblich", "w", "frau", "2"),
)
"""What a column of genders may say, in lower case; 1 and 2 are ISO/IEC 5218. Anything else says nothing."""

_BANDS = 8
_MOST_LITERALS = 30_000
"""More would make the SQL text slower to plan than rows are to mask in Python."""
_CZECH_ENDING = "á"


@dataclass(frozen=True, eq=False)
class Table:
    """Names of one usage by gender (m, f, n); ``weights`` are their frequencies, where known. ``paired``: m and f are pairs.

    ``known`` are further names of a gender, to which none is masked.
    """

    groups: dict[str, tuple[str, ...]]
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    weights: dict[tuple[str, str], float] = field(default_factory=dict)
    paired: bool = False
    czech: bool = False


@dataclass(frozen=True, eq=False)
class Pool:
    """Names that are ``known`` (in lower case), or all that end in ``ending``, and what may stand for them."""

    choices: tuple[str, ...]
    known: frozenset[str] = frozenset()
    ending: str = ""

    def holds(self, folded: str) -> bool:
        """Whether a name in lower case belongs to the pool."""
        return folded in self.known if self.known else folded.endswith(self.ending)

    @cached_property
    def lowered(self) -> tuple[str, ...]:
        """The choices in lower case."""
        return tuple(map(lower, self.choices))

    @cached_property
    def ordered(self) -> tuple[str, ...]:
        """The known names, sorted."""
        return tuple(sorted(self.known))


@dataclass(frozen=True, eq=False)
class Book:
    """For one column and gender: the pools in order; the last one holds every name."""

    pools: tuple[Pool, ...]

    def choose(self, folded: str, word: int) -> str:
        """The name for ``word`` of the PRF; never the name itself."""
        pool = next(p for p in self.pools if p.holds(folded))
        count = len(pool.choices)
        at = word % count
        return pool.choices[(at + 1) % count if pool.lowered[at] == folded else at]

    @cached_property
    def outcomes(self) -> int:
        """How many names may come out."""
        return len({n for p in self.pools for n in p.choices})

    def fits(self, dialect: Dialect) -> bool:
        """Whether the dialect can say the book in SQL that is worth planning."""
        literals = sum(len(p.known) + 2 * len(p.choices) for p in self.pools)
        return literals <= _MOST_LITERALS and all(len(p.known) <= dialect.max_literal_list for p in self.pools)

    @cache  # noqa: B019 - books are made once for each table, and tables live as long as the process
    def fitted(self, length: int | None) -> Book:
        """The same with names of at most ``length`` characters: others' places are taken by names that fit, so that
        wide and narrow columns agree wherever they can. Raises BindError where fewer than two fit."""
        if length is None:
            return self
        return Book(tuple(Pool(_fitted(p.choices, length), p.known, p.ending) for p in self.pools))

    def sql(self, folded: E, word: E, dialect: Dialect) -> E:
        """``choose`` in SQL, where it fits; both expressions are named values."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import text

        ifs = []
        for pool in self.pools[:-1]:
            end = dialect.right(folded.copy(), len(pool.ending))
            test = (
                dialect.one_of(folded.copy(), pool.ordered)
                if pool.known
                else dialect.compare(exp.EQ, end, text(pool.ending))
            )
            ifs.append(exp.If(this=test, true=_choice(pool, folded, word, dialect)))
        rest = _choice(self.pools[-1], folded, word, dialect)
        return exp.Case(ifs=ifs, default=rest) if ifs else rest


def _choice(pool: Pool, folded: E, word: E, dialect: Dialect) -> E:
    """The chosen name, or the next one where it is the name itself: a test on a list in lower case decides which."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer

    count = len(pool.choices)
    first = cast("E", dialect.choose(pool.lowered, dialect.mod(word.copy(), count)))
    same = dialect.compare(exp.EQ, first, folded.copy())
    step = exp.Case(ifs=[exp.If(this=same, true=integer(1))], default=integer(0))
    index = dialect.mod(exp.Paren(this=exp.Add(this=word.copy(), expression=step)), count)
    return cast("E", dialect.choose(pool.choices, index))


def _fitted(choices: Sequence[str], length: int) -> tuple[str, ...]:
    fitting = [c for c in choices if len(c) <= length]
    if len(fitting) < 2:
        raise BindError(f"no two names of the table fit into {length} characters", "use imitate or redact")
    if len(fitting) == 2:
        return tuple(fitting)
    made: list[str] = []
    for i, name in enumerate(choices):
        if len(name) > length:
            name = fitting[i % len(fitting)]
            if made and name == made[-1]:
                name = fitting[(i + 1) % len(fitting)]
        made.append(name)
    if made[0] == made[-1]:
        made[-1] = next(n for n in fitting if n not in (made[-1], made[-2]))
    return tuple(made)


def cased(given: str, folded: str, name: str) -> str:
    """``name`` in the case pattern of ``given``: all upper, all lower, or as the table has it; one letter is no pattern."""
    raised = upper(given)
    if given == raised:
        return upper(name) if given != folded and len(given) > 1 else name
    return lower(name) if given == folded else name


@cache
def builtin(locale: str, usage: str) -> Table:
    """The package's own table of ``first`` or ``last`` names."""
    text = files("dbmask.masks").joinpath("data", f"names_{locale}.json").read_text("utf-8")
    found = json.loads(text)[usage]
    groups = {g: tuple(names) for g, names in found.items() if len(g) == 1}
    known = {g[-1]: tuple(names) for g, names in found.items() if len(g) > 1}
    paired = usage == "last" and "f" in groups
    return Table(groups, known, paired=paired, czech=paired)


@cache
def read_file(path: str, usage: str, czech: bool) -> Table:
    """A table of the user's own: CSV with columns name, count, gender (m, f, n) and usage (first, last, both).

    Raises ValueError with what is wrong; the file's names appear in no message.
    """
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a UTF-8 CSV file"
        raise ValueError(f"the file {path} cannot be read: {reason}") from None
    missing = {"name", "count", "gender", "usage"} - set(rows[0] if rows else ())
    if missing:
        raise ValueError(
            f"the file {path} needs the columns name, count, gender and usage (make it with `dbmask names build`)"
        )
    groups: dict[str, dict[str, float]] = {}
    for number, row in enumerate(rows, 2):
        gender, kind = (row["gender"] or "n").strip().lower(), (row["usage"] or "").strip().lower()
        if gender not in ("m", "f", "n") or kind not in ("first", "last", "both") or not row["name"]:
            raise ValueError(f"the file {path}, line {number}: gender is m, f or n, usage is first, last or both")
        if kind in (usage, "both"):
            try:
                groups.setdefault(gender, {})[row["name"].strip()] = float(row["count"] or 0)
            except ValueError:
                raise ValueError(f"the file {path}, line {number}: count is no number") from None
    if sum(map(len, groups.values())) < 2:
        raise ValueError(f"the file {path} holds no {usage} names to choose from")
    ranked = {g: tuple(sorted(names, key=lambda n: (-names[n], n))) for g, names in groups.items()}
    weights = {(g, n): c for g, names in groups.items() for n, c in names.items()}
    return Table(ranked, weights=weights, czech=czech and usage == "last")


@cache
def book(table: Table, gender: str | None) -> Book:
    """The book for names whose bearer's gender is known (m, f), or is to be seen from the name (None)."""
    if table.weights:
        return _banded(table, gender)
    groups = table.groups
    everything = tuple(n for g in groups.values() for n in g)
    if table.paired:
        women = (Pool(groups["f"], ending=_CZECH_ENDING),) if gender is None else ()
        return Book((*women, Pool(groups[gender or "m"])))
    if gender is not None:
        return Book((Pool(groups.get(gender) or everything),))
    pools = [
        Pool(groups[g], frozenset(map(lower, (*groups[g], *table.known.get(g, ()))))) for g in ("m", "f") if g in groups
    ]
    return Book((*pools, Pool(everything)))


def _banded(table: Table, gender: str | None) -> Book:
    """Frequent names stand for frequent ones: each gender's names, by rank, are cut into bands of equal size."""
    wanted = [g for g in "mfn" if g in table.groups and gender in (None, g)] or list(table.groups)
    bands = [(g, band) for g in wanted for band in _cut(table.groups[g])]
    owner: dict[str, tuple[float, int]] = {}
    for i, (g, band) in enumerate(bands):
        for name in band:
            owner[lower(name)] = max(owner.get(lower(name), (-1.0, 0)), (table.weights[g, name], i))
    pools = [
        Pool(band, frozenset(lower(n) for n in band if owner[lower(n)][1] == i)) for i, (_, band) in enumerate(bands)
    ]
    rare = {g: band for g, band in bands}  # the last band of each gender: an unknown name is a rare one
    rest = tuple(n for band in rare.values() for n in band)
    found = [p for p in pools if p.known]
    if table.czech and gender is None and "f" in rare:
        found.append(Pool(rare["f"], ending=_CZECH_ENDING))
        rest = tuple(n for g, band in rare.items() if g != "f" for n in band) or rest
    return Book((*found, Pool(rest)))


def _cut(names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """Bands of equal size, none of fewer than two names."""
    count = max(1, min(_BANDS, len(names) // 2))
    edges = [len(names) * i // count for i in range(count + 1)]
    return (tuple(names[a:b]) for a, b in itertools.pairwise(edges))


def stem(folded: str) -> str:
    """What the forms of a Czech surname share, in lower case: Nováková and Novák, Hájková and Hájek mask as a pair.

    >>> [stem(s) for s in ("nováková", "novák", "svobodová", "svoboda", "hájková", "hájek", "novotná", "novotný")]
    ['novák', 'novák', 'svobod', 'svobod', 'hájk', 'hájk', 'novotn', 'novotn']
    """
    for ending, cut, added in STEMS:
        if folded.endswith(ending):
            return folded[: len(folded) - cut] + added
    return folded


STEMS = (
    *(("ová", 3, ""), ("á", 1, ""), ("ý", 1, ""), ("a", 1, "")),
    *(("něk", 3, "ňk"), ("ek", 2, "k"), ("ec", 2, "c")),
)
"""Endings, how many characters go, and what comes instead."""


def stem_sql(folded: E, dialect: Dialect) -> E:
    """``stem`` in SQL; ``folded`` is cheap to repeat."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer, text

    ifs = []
    for ending, cut, added in STEMS:
        test = dialect.compare(exp.EQ, dialect.right(folded.copy(), len(ending)), text(ending))
        kept = dialect.substr(folded.copy(), 1, exp.Sub(this=dialect.length(folded.copy()), expression=integer(cut)))
        ifs.append(exp.If(this=test, true=dialect.concat(kept, text(added)) if added else kept))
    return exp.Case(ifs=ifs, default=folded.copy())
