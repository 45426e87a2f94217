"""A character that every value looked for holds: a text without it need not leave the replica's database.

Addresses of mail are what is looked for most, and few texts of a masked replica hold an at sign. Neither the folding of
case nor the trimming of blanks makes one or takes one away; JSON may write one as ``\\u0040``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dbmask.cloner.residue.places import Place, Searched, Sides
from dbmask.cloner.residue.texts import DOCUMENT
from dbmask.planner import TablePlan
from dbmask.schema import Kind

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["SIGN", "lacks_sign", "looks"]

SIGN = "@"
_ESCAPE = "\\"
_NUMBERS = (Kind.INTEGER, Kind.UUID)
_KNOWN = (Kind.TEXT, Kind.JSON, *_NUMBERS)


def looks(
    sides: Sides, plan: TablePlan, places: Sequence[Place], wanted: Sequence[Searched]
) -> Iterator[tuple[Sequence[Place], exp.Select]]:
    """The queries to look in places of one table by, each with its places.

    Where all that is ``wanted`` holds the sign, rows without it are passed over, and count as seen. Not so in places of
    which chance may leave a share of all values, or whose type may show a text in another form.
    """
    dialect = sides.dialects[1]
    may = [all(w.signed for w in wanted) and _may(p, dialect) for p in places]
    rest = [p for p, m in zip(places, may, strict=True) if not m]
    if rest:
        yield rest, sides.of_replica(plan, rest)
    signed = [p for p, m in zip(places, may, strict=True) if m]
    for place in signed:
        place.seen += sides.sampled(plan)
    query = _narrowed(sides.of_replica(plan, signed), signed, dialect) if signed else None
    if query is not None:
        yield signed, query


def _may(place: Place, dialect: str) -> bool:
    from dbmask_sql.dialects import DIALECTS

    return dialect in DIALECTS and place.allowed == 0 and place.kind in _KNOWN


def _narrowed(query: exp.Select, places: Sequence[Place], dialect: str) -> exp.Select | None:
    """The query of these places' columns, for rows alone that hold the sign in one of them; None where no row can."""
    from sqlglot import exp

    columns = zip(places, query.expressions, strict=True)
    tests = [test for place, shown in columns for test in _tests(shown.this, place, dialect)]
    return query.where(exp.or_(*tests, copy=False)) if tests else None


def lacks_sign(value: exp.Expression, dialect: str) -> exp.Expression:
    """Whether a text does not hold the sign; NULL of NULL."""
    from sqlglot import exp

    return exp.not_(_holds(value, SIGN, dialect), copy=False)


def _tests(value: exp.Expression, place: Place, dialect: str) -> list[exp.Expression]:
    from sqlglot import exp

    from dbmask_sql.dialects.base import call, text

    anything = dialect == "sqlite"  # where a column may hold any type
    if place.kind in _NUMBERS and not anything:
        return []
    made = [_holds(value, SIGN, dialect)]
    if not place.whole:
        made.append(_escapes(value, place.kind, dialect))
    if anything:
        made.append(exp.EQ(this=call("TYPEOF", value.copy()), expression=text("blob")))
    return made


def _escapes(value: exp.Expression, kind: Kind, dialect: str) -> exp.Expression:
    """Whether a value is a JSON document in which the sign may be written as an escape. Of texts the first character tells."""
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import integer, text

    made = _holds(value, _ESCAPE, dialect)
    if kind is Kind.JSON:
        return made
    to = primitives(dialect)
    first = to.substr(to.plain(value.copy()), 1, integer(1))
    return exp.And(this=exp.In(this=first, expressions=[text(c) for c in DOCUMENT]), expression=made)


def _holds(value: exp.Expression, part: str, dialect: str) -> exp.Expression:
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import integer

    to = primitives(dialect)
    return exp.GT(this=to.find(to.plain(value.copy()), part), expression=integer(0))
