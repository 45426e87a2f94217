"""psycopg, asyncpg and SQLAlchemy through the proxy: types and names are the original's, values are masked."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy
from psycopg.types import composite, enum
from sqlalchemy import orm

from tests.proxy.shop import Shop

KEPT = "id, mood, score, tag, words, at, twin, span, bits, town, initial IS NULL AS none"  # as they are, by the policy
EVERY = "id, name, mail, born, mood, score, tag, words, data, at, twin, span, bits, town, initial"


def test_psycopg_reads_the_types_of_the_original(place: Shop) -> None:
    with psycopg.connect(place.proxy.url()) as through, psycopg.connect(place.plain) as plain:
        for binary in (False, True):
            for text in (
                f"SELECT {EVERY} FROM person ORDER BY id",
                "SELECT p, count(*) FROM person p GROUP BY p.id, p",
            ):
                described = [
                    [(c.name, c.display_size, c.precision, c.scale, c.internal_size) for c in cursor.description or ()]
                    for cursor in (through.execute(text, binary=binary), plain.execute(text, binary=binary))
                ]
                assert described[0] == described[1] and len(described[0]) > 1
            kept = f"SELECT {KEPT} FROM person ORDER BY id"
            assert through.execute(kept, binary=binary).fetchall() == plain.execute(kept, binary=binary).fetchall()
        names = {r[0] for r in through.execute("SELECT name FROM person")}
        assert len(names) == 7 and not any("Secret" in n for n in names)
        info = composite.CompositeInfo.fetch(through, "pair")
        mood = enum.EnumInfo.fetch(through, "mood")
        assert info is not None and info.field_names == ("a", "b")
        assert mood is not None and list(mood.labels) == ["sad", "glad"]
        person = composite.CompositeInfo.fetch(through, "person")
        assert person is not None and "name" in person.field_names
        composite.register_composite(person, through)
        (row,) = through.execute("SELECT p FROM person p WHERE id = 3", binary=False).fetchone() or ()
        assert (row.id, row.tag) == (3, "T3") and "Secret" not in repr(row)


def test_psycopg_pipelines_cursors_and_copies(place: Shop) -> None:
    with psycopg.connect(place.proxy.url()) as c:
        with c.pipeline():
            cursors = [c.execute("SELECT id, mail FROM person WHERE id = %s", (i,)) for i in range(1, 21)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(1, 21))  # type: ignore[index]  # there is a row
        with pytest.raises(psycopg.errors.InsufficientPrivilege), c.transaction(), c.pipeline():
            c.execute("SELECT 1")
            c.execute("DELETE FROM person")
            c.execute("SELECT 2")
        for _ in range(8):  # prepared by the server from the fifth on
            assert c.execute("SELECT count(*) FROM visit WHERE person = %s", (5,)).fetchone() == (3,)
        with c.transaction(), c.cursor("held", scrollable=True) as held:
            held.execute("SELECT id, name FROM person ORDER BY id")
            held.itersize = 7
            rows = held.fetchmany(10)
            held.scroll(-5)
            assert len(rows) == 10 and held.fetchone()[0] == 6  # type: ignore[index]  # there is a row
            assert not any("Secret" in name for _, name in rows)
        for options in ("", " (FORMAT csv, HEADER)", " (FORMAT binary)"):
            with c.cursor().copy(f"COPY (SELECT id, mail FROM person ORDER BY id) TO STDOUT{options}") as copy:
                data = b"".join(copy)
            assert b"Secret" not in data and len(data) > 400
        with c.cursor().copy("COPY (SELECT id, tag FROM person ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows())[:2] == [(1, "T1"), (2, "T2")]
        c.rollback()
        with c.transaction(force_rollback=True):
            c.execute("SAVEPOINT one")
            with pytest.raises(psycopg.errors.UndefinedColumn):
                c.execute("SELECT nothing FROM person")
            c.execute("ROLLBACK TO one")
            assert c.execute("SELECT 1").fetchone() == (1,)


def test_psycopg_cancels(place: Shop) -> None:
    with psycopg.connect(place.proxy.url(), autocommit=True) as c:
        c.execute("SET statement_timeout = '200ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("SELECT count(*) FROM person a, person b, person c, person d, person e, person f")
        c.execute("RESET ALL")
        assert c.execute("SHOW statement_timeout").fetchone() == ("0",)


async def with_asyncpg(place: Shop) -> None:
    through, plain = await asyncpg.connect(place.proxy.url()), await asyncpg.connect(place.plain)
    try:
        text = f"SELECT {KEPT} FROM person WHERE id < $1 ORDER BY id"
        prepared, other = await through.prepare(text), await plain.prepare(text)
        shapes = [
            [(a.name, a.type.name, a.type.schema, a.type.kind) for a in p.get_attributes()] for p in (prepared, other)
        ]
        assert shapes[0] == shapes[1]
        rows = [tuple(r) for r in await prepared.fetch(20)]
        assert rows == [tuple(r) for r in await other.fetch(20)] and len(rows) == 19
        whole = await through.fetch(
            "SELECT p, array_agg(v) AS visits FROM person p JOIN visit v ON v.person = p.id GROUP BY p.id, p LIMIT 2"
        )
        assert [k for k, _ in whole[0]["p"].items()] == EVERY.split(", ") or set(EVERY.split(", ")) == set(
            whole[0]["p"].keys()
        )
        assert len(whole[0]["visits"]) == 3 and "Secret" not in repr(whole)
        names = await through.fetch("SELECT name FROM person WHERE mood = $1 AND words && $2", "glad", ["a1", "a3"])
        assert len(names) == 2 and "Secret" not in repr(names)
        out = io.BytesIO()
        await through.copy_from_query("SELECT name, mail FROM person", output=out, format="csv")
        assert len(out.getvalue().splitlines()) == 40 and b"Secret" not in out.getvalue()
        async with through.transaction():
            count = 0
            async for record in through.cursor("SELECT id, mail FROM person", prefetch=9):
                count += "Secret" not in record["mail"]
            assert count == 40
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await through.execute("UPDATE person SET name = ''")
        await through.reset()
        with pytest.raises(TimeoutError):
            await through.fetch("SELECT count(*) FROM person a, person b, person c, person d, person e", timeout=0.2)
        assert await through.fetchval("SELECT 1") == 1
    finally:
        await through.close()
        await plain.close()
    async with asyncpg.create_pool(place.proxy.url(), min_size=1, max_size=2) as pool:
        for _ in range(3):
            assert await pool.fetchval("SELECT count(*) FROM person WHERE name LIKE 'Secret%'") == 0


def test_asyncpg(place: Shop) -> None:
    asyncio.run(with_asyncpg(place))


class Base(orm.DeclarativeBase):
    """The mapped tables."""


class Town(Base):
    __tablename__ = "town"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    people: orm.Mapped[list[Person]] = orm.relationship(back_populates="home", order_by="Person.id")


class Person(Base):
    __tablename__ = "person"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    mail: orm.Mapped[str | None]
    town: orm.Mapped[int | None] = orm.mapped_column(sqlalchemy.ForeignKey("town.id"))
    home: orm.Mapped[Town | None] = orm.relationship(back_populates="people")


def reflected(url: str) -> dict[str, Any]:
    """All that SQLAlchemy finds of a database."""
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        found = sqlalchemy.inspect(engine)
        made: dict[str, Any] = {"schemas": found.get_schema_names(), "views": sorted(found.get_view_names())}
        made["materialized"] = found.get_materialized_view_names()
        made["enums"] = found.get_enums()  # type: ignore[attr-defined]  # of this dialect
        made["sequences"] = found.get_sequence_names()
        for table in sorted([*found.get_table_names(), "named", "costs"]):
            columns = [
                {**c, "type": str(c["type"]), "default": c["default"] is not None} for c in found.get_columns(table)
            ]
            for column in columns:
                column.pop("identity", None)  # its bounds are literals
                column.pop("comment", None)
                column["computed"] = bool(column.get("computed"))
            made[table] = (
                columns,
                found.get_pk_constraint(table),
                found.get_foreign_keys(table),
                sorted(i["name"] or "" for i in found.get_indexes(table)),
                sorted(u["name"] or "" for u in found.get_unique_constraints(table)),
                sorted(c["name"] or "" for c in found.get_check_constraints(table)),
            )
        return made
    finally:
        engine.dispose()


OWN_TYPES = pytest.mark.filterwarnings("ignore:Did not recognize type 'pair'")  # SQLAlchemy has no composite types


@OWN_TYPES
def test_sqlalchemy_reflects_the_original(place: Shop) -> None:
    through, plain = reflected(place.proxy.url()), reflected(place.plain)
    assert through == plain
    assert "Secret" not in repr(through) and "person" in through


@OWN_TYPES
def test_sqlalchemy_maps_objects(place: Shop) -> None:
    engine = sqlalchemy.create_engine(place.proxy.url().replace("postgresql://", "postgresql+psycopg://"))
    try:
        with orm.Session(engine) as session:
            towns = session.scalars(
                sqlalchemy.select(Town).options(orm.selectinload(Town.people)).order_by(Town.id)
            ).all()
            assert [len(t.people) for t in towns] == [10, 10, 10]
            assert not any("Secret" in p.name + (p.mail or "") for t in towns for p in t.people)
            ranked = sqlalchemy.select(
                Person.name, sqlalchemy.func.rank().over(partition_by=Person.town, order_by=Person.name)
            ).join(Person.home)
            assert len(session.execute(ranked).all()) == 30
            mine = session.get(Person, 5)
            assert mine is not None and mine.home is not None and mine.home.name == "Brno"
            mine.name = "changed"
            with pytest.raises(sqlalchemy.exc.ProgrammingError, match="not allowed here"):
                session.flush()
            session.rollback()
        tables = sqlalchemy.MetaData()
        tables.reflect(engine, only=["person", "visit", "town"])
        person, visit = tables.tables["person"], tables.tables["visit"]
        with engine.connect() as c:
            query = (
                sqlalchemy.select(person.c.tag, sqlalchemy.func.sum(visit.c.cost)).join(visit).group_by(person.c.tag)
            )
            assert len(c.execute(query).all()) == 5
    finally:
        engine.dispose()


SEVERAL = (
    # Django's introspection asks for the columns of indexes so.
    "SELECT c.relname, k.n, k.key, k.option FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid, "
    "unnest(i.indkey, i.indoption) WITH ORDINALITY AS k (key, option, n) WHERE i.indrelid = 'person'::regclass ORDER BY 1, 2",
    "SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c'])",
    "SELECT p.id, x.* FROM person p LEFT JOIN LATERAL unnest(p.words, ARRAY[p.id]) AS x (word, id) ON true ORDER BY 1, 2",
    "SELECT * FROM ROWS FROM (generate_series(1, 2), unnest('{1}'::int[], '{2,3}'::int[])) AS t",
)


@pytest.mark.parametrize("text", SEVERAL)
def test_several_arrays_are_unnested_as_by_the_original(place: Shop, text: str) -> None:
    with psycopg.connect(place.proxy.url()) as through, psycopg.connect(place.plain) as plain:
        one, other = through.execute(text.encode()), plain.execute(text.encode())
        assert [d.name for d in one.description or ()] == [d.name for d in other.description or ()]
        assert one.fetchall() == other.fetchall()
