"""Filling side tables: rows whose masked values are not those of the current raw ones are masked in Python, batch by batch.

What is read is read through the source's connector, in one snapshot; what is written is masked, by COPY into a stage and
from there over the rows that stand there. A row that a mask refuses is left out: its view shows the placeholder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbmask.errors import MaskError, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Unit
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.policy.model import Policy
from dbmask.proxy.administer import administer, composed, one
from dbmask.proxy.install import view_plan
from dbmask.proxy.install_roles import owner_of
from dbmask.proxy.side_tables import ALIAS, KEY, SideTable, fingerprint_key, root_of, side_tables
from dbmask.registry import connector_for
from dbmask.spi import Batch, Reader

if TYPE_CHECKING:
    import psycopg
    from sqlglot import exp

__all__ = ["Refreshed", "refresh_side_tables"]

BATCH = 2_000
"""Rows that are masked and written at a time."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did to one table's side table: rows masked anew, rows that a mask refused, rows no longer there."""

    table: str
    masked: int
    refused: int
    purged: int


def refresh_side_tables(
    policy: Policy, source: str, role: str, *, keys: KeyRing | None = None, batch_rows: int = BATCH
) -> tuple[Refreshed, ...]:
    """Bring the side tables of ``role`` up to date; each batch of ``batch_rows`` rows is committed by itself.

    Raises UsageError where they are not installed, or were installed with another policy or key; PlanError,
    ConnectorError and MaskError.
    """
    ring = policy.keyring() if keys is None else keys
    plan = view_plan(policy, source, ring)
    found = side_tables(policy, plan, role, ring)
    sides = [s for n, s in sorted(found.items()) if root_of(plan.schema, n) == n]
    return tuple(_refresh(source, role, side, ring, batch_rows) for side in sides)


def _refresh(source: str, role: str, side: SideTable, keys: KeyRing, batch_rows: int) -> Refreshed:
    opened = connector_for(source).source(source)
    try:
        with administer(source) as connection, opened.snapshot() as reader:
            _require_installed(connection, role, side)
            purged = _purge(connection, side)
            masked, refused = _fill(connection, reader, side, keys, batch_rows)
            return Refreshed(str(side.plan.name), masked, refused, purged)
    finally:
        opened.close()


def _require_installed(connection: psycopg.Connection[Any], role: str, side: SideTable) -> None:
    digest = None
    if owner_of(connection) is not None:
        query = "SELECT digest FROM dbmask.side WHERE role = %s AND name = %s"
        digest = one(connection, query, role, side.name)
    if digest != side.digest:
        why = "is not installed" if digest is None else "was installed with another policy or key"
        raise UsageError(f"the side table of {side.plan.name} {why} for role {role}: run `dbmask install` first")


def _purge(connection: psycopg.Connection[Any], side: SideTable) -> int:
    """Delete the rows of source rows that are gone."""
    names = [side.name, side.plan.name.schema, side.plan.name.name]
    only = "ONLY " if side.plan.table.inherited else ""
    pairs = " AND ".join(["t.{} = s.{}"] * len(side.key))
    text = f"DELETE FROM dbmask.{{}} s WHERE NOT EXISTS (SELECT FROM {only}{{}}.{{}} t WHERE {pairs})"  # noqa: S608 - names are quoted
    keys = [n for i, c in enumerate(side.key) for n in (c.name, f"dbmask_k{i}")]
    return connection.execute(composed(text, *names, *keys)).rowcount


def _fill(
    connection: psycopg.Connection[Any], reader: Reader, side: SideTable, keys: KeyRing, batch_rows: int
) -> tuple[int, int]:
    reader.use_keys({KEY: fingerprint_key(keys).pads})
    _make_stage(connection, side)
    masked = refused = 0
    for batch in reader.read(stale_rows(side), batch_rows):
        rows = list(_masked_rows(side, batch))
        _write(connection, side, rows)
        connection.commit()  # a run that is cut off has done what it has done
        masked += len(rows)
        refused += len(batch[0]) - len(rows)
    return masked, refused


def stale_rows(side: SideTable) -> exp.Select:
    """The rows whose fingerprints are not those beside them: keys, then for each mask its fingerprint and its raw inputs."""
    from sqlglot import exp, parse_one

    from dbmask_sql.dialects.base import cast, column

    # Keys travel as text: what is read is written as it was.
    shown: list[exp.Expression] = [cast(column(c.name, SOURCE_ALIAS), "TEXT", "postgres") for c in side.key]
    stale: list[exp.Expression] = []
    for i, unit in enumerate(side.units):
        mark = side.fingerprint(unit)
        shown += [mark, *(column(n, SOURCE_ALIAS) for n in unit.bound.inputs)]
        stale.append(exp.NullSafeNEQ(this=column(f"dbmask_f{i}", ALIAS), expression=mark.copy()))
    named = [exp.alias_(e, f"dbmask_c{i}") for i, e in enumerate(shown)]
    source = exp.Table(
        this=exp.to_identifier(side.plan.name.name, quoted=True),
        db=exp.to_identifier(side.plan.name.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(SOURCE_ALIAS, quoted=True)),
        only=side.plan.table.inherited,
    )
    query = side.joined(exp.select(*named).from_(source)).where(exp.or_(*stale))
    # Rows that the view leaves out need no masked values.
    return query.where(parse_one(side.plan.filter, read="postgres")) if side.plan.filter else query


def _masked_rows(side: SideTable, batch: Batch) -> Iterator[tuple[Any, ...]]:
    """Rows of the side table from rows of the query; those that a mask refuses are left out."""
    at = len(side.key)
    columns: list[list[Any]] = batch[:at]
    refused: set[int] = set()
    for unit in side.units:
        inputs = batch[at + 1 : at + 1 + len(unit.bound.inputs)]
        made, bad = _apply(unit, inputs)
        refused |= bad
        columns += [batch[at], *made]
        at += 1 + len(unit.bound.inputs)
    for i, row in enumerate(zip(*columns, strict=True)):
        if i not in refused:
            yield row


def _apply(unit: Unit, inputs: Sequence[list[Any]]) -> tuple[list[list[Any]], set[int]]:
    """A batch masked, and the places of rows that the mask refuses: where a batch fails, its halves are tried."""
    count = len(inputs[0]) if inputs else 0
    try:
        return unit.bound.apply(inputs), set()
    except MaskError:
        if count <= 1:
            return [[None] * count for _ in unit.bound.outputs], set(range(count))
    half = count // 2
    left, bad = _apply(unit, [column[:half] for column in inputs])
    right, more = _apply(unit, [column[half:] for column in inputs])
    return [a + b for a, b in zip(left, right, strict=True)], bad | {half + i for i in more}


def _make_stage(connection: psycopg.Connection[Any], side: SideTable) -> None:
    connection.execute(
        composed("CREATE TEMPORARY TABLE dbmask_stage (LIKE dbmask.{}) ON COMMIT DELETE ROWS", side.name)
    )


def _write(connection: psycopg.Connection[Any], side: SideTable, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows over those that stand there. COPY's data are in no statement log."""
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy("COPY pg_temp.dbmask_stage FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    names = [name for name, _ in side.columns]
    keys, values = names[: len(side.key)], names[len(side.key) :]
    listed = ", ".join(["{}"] * len(keys))
    changes = ", ".join(["{} = excluded.{}"] * len(values))
    text = f"INSERT INTO dbmask.{{}} SELECT * FROM pg_temp.dbmask_stage ON CONFLICT ({listed}) DO UPDATE SET {changes}"  # noqa: S608
    connection.execute(composed(text, side.name, *keys, *(n for v in values for n in (v, v))))
