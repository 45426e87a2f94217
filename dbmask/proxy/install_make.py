"""Making what is installed: schemas, side tables, views, rights, and the rows that say which view stands for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbmask.errors import PlanError, Problem
from dbmask.planner import Plan
from dbmask.policy.model import TableMode
from dbmask.proxy.administer import attempt, composed, one
from dbmask.proxy.gaps import SAFE_EXTENSIONS
from dbmask.proxy.install_user_views import Standing, grouped_by, ordered, over_masked
from dbmask.proxy.install_views import ViewText, ViewWriter
from dbmask.proxy.names import masked_schema, short_name
from dbmask.proxy.side_tables import SideTable
from dbmask.schema import TableName, View

if TYPE_CHECKING:
    import psycopg

__all__ = ["Maker"]


@dataclass(frozen=True)
class _Base:
    """A relation of the source as the catalog has it."""

    oid: int
    columns: tuple[str, ...]
    definition: str | None
    barrier: bool


class Maker:
    """Makes the views of one class. ``schemas`` and ``extensions`` (which hold the operators of the columns' types),
    ``made``, ``left_out`` and ``side_tables`` say what came of it.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        plan: Plan,
        role: str,
        owner: str,
        writer: ViewWriter,
        sides: Mapping[TableName, SideTable],
    ) -> None:
        self.connection = connection
        self.plan = plan
        self.role = role
        self.owner = owner
        self.writer = writer
        self.sides = sides
        self.schemas: list[str] = []
        self.extensions: list[str] = []
        self.made: list[str] = []
        self.left_out: list[Problem] = []
        self.side_tables: dict[str, str] = {}
        self._base: dict[TableName, _Base] = {}
        self._standing: dict[TableName, Standing] = {}
        self._views: dict[TableName, int] = {}
        self._masked: set[TableName] = set()

    def run(self) -> None:
        """Make everything. Raises PlanError where a table's view cannot be made; views of the source may be left out."""
        c = self.connection
        self._base = self._read()
        shown = [t.name for t in self.plan if t.mode is not TableMode.SKIP and t.name in self._base]
        views = [v for v in ordered(self.plan.schema.views) if v.name in self._base]
        self._make_schemas({n.schema for n in shown} | {v.name.schema for v in views})
        self._owner_rights(shown)
        c.execute(composed("SET LOCAL ROLE {}", self.owner))
        self._make_sides()
        for name in shown:
            self._table(name)
        for view in views:
            self._user_view(view)
        c.execute("RESET ROLE")
        self._role_rights()

    # -- before the views ----------------------------------------------------------------------------------------

    def _read(self) -> dict[TableName, _Base]:
        from dbmask_sql.packs import statement

        c = self.connection
        c.execute("SET LOCAL search_path TO pg_catalog")
        rows = c.execute(statement("postgres", "install_relations").encode()).fetchall()
        c.execute("RESET search_path")
        query = """
            SELECT DISTINCT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
            WHERE e.extname = ANY (%s::name[]) AND n.nspname <> 'pg_catalog' ORDER BY 1
        """
        self.extensions = [r[0] for r in c.execute(query, (list(SAFE_EXTENSIONS),))]
        return {TableName(r[1], r[2]): _Base(r[0], tuple(r[4]), r[5], r[6]) for r in rows}

    def _make_schemas(self, sources: Iterable[str]) -> None:
        from psycopg import sql

        first = self.plan.schema.default_schema
        for source in sorted(sources, key=lambda s: (s != first, s)):
            name = masked_schema(self.role, source)
            self.connection.execute(composed("CREATE SCHEMA {} AUTHORIZATION {}", name, self.owner))
            comment = sql.Literal(f"dbmask masked views for {self.role}")
            self.connection.execute(composed("COMMENT ON SCHEMA {} IS ", name) + comment)
            self.schemas.append(name)

    def _owner_rights(self, tables: Sequence[TableName]) -> None:
        """The owner may read the tables, and name what lies in the source's schemas (types, extensions' functions)."""
        c = self.connection
        query = """
            SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
              AND NOT has_schema_privilege(%s, oid, 'USAGE')
        """
        for (schema,) in c.execute(query, (self.owner,)).fetchall():
            c.execute(composed("GRANT USAGE ON SCHEMA {} TO {}", schema, self.owner))
        for name in tables:
            c.execute(composed("GRANT SELECT ON {} TO {}", (name.schema, name.name), self.owner))

    def _make_sides(self) -> None:
        """Side tables that are what they should be stay, with what is in them."""
        c = self.connection
        query = "SELECT name::text, digest FROM dbmask.side WHERE role = %s"
        known: dict[str, str] = dict(c.execute(query, (self.role,)).fetchall())
        wanted = {side.name: side for side in self.sides.values()}
        for name, digest in known.items():
            if name not in wanted or wanted[name].digest != digest:
                c.execute(composed("DROP TABLE {}", ("dbmask", name)))
                c.execute("DELETE FROM dbmask.side WHERE role = %s AND name = %s", (self.role, name))
        for name, side in wanted.items():
            root = self.writer.side_root(side)
            self.side_tables[name] = str(root)
            if known.get(name) == side.digest:
                continue
            names = [n for n, _ in side.columns]
            # Types are the catalog's own words.
            listed = ", ".join(f"{{}} {t.replace('{', '{{').replace('}', '}}')}" for _, t in side.columns)
            keys = names[: len(side.key)]
            text = f"CREATE TABLE {{}} ({listed}, PRIMARY KEY ({', '.join(['{}'] * len(keys))}))"
            c.execute(composed(text, ("dbmask", name), *names, *keys))
            c.execute(
                "INSERT INTO dbmask.side VALUES (%s, %s, %s, %s)",
                (self.role, self._base[root].oid, name, side.digest),
            )

    # -- views ---------------------------------------------------------------------------------------------------

    def _table(self, name: TableName) -> None:
        view = self.writer.view(name)
        allowed = [self._base[n].oid for n in view.reads if n in self._base]
        schema, reasons = masked_schema(self.role, name.schema), list[str]()
        only = self._only_name(name) if view.only else None
        for number, select in enumerate(view.selects):
            with attempt(self.connection, reasons):
                oid = self._create(schema, name.name, view.columns, select, view.barrier, allowed, view.sides)
                if only is not None:
                    alone = view.only[min(number, len(view.only) - 1)]
                    self._create(schema, only, view.columns, alone, view.barrier, allowed, view.sides)
                break
        else:
            raise PlanError([Problem(str(name), f"its masked view cannot be made: {reasons[0]}")])
        if reasons:
            what = "generated columns are NULL in its masked view, since they cannot be computed from masked values"
            self.left_out.append(Problem(str(name), f"{what}: {reasons[0]}"))
        self._record(name, schema, oid, only, view)

    def _only_name(self, name: TableName) -> str:
        made = short_name(name.name, "only")
        while TableName(name.schema, made) in self._base:
            made = short_name(made, "_")
        return made

    def _user_view(self, source: View) -> None:
        name = source.name
        base = self._base[name]
        text = over_masked(base.definition or "", self._standing)
        reasons: list[str] = []
        schema = masked_schema(self.role, name.schema)
        if text is None:
            reasons.append("its definition reads what has no masked relation, or cannot be read")
        while text is not None:
            reasons.clear()
            with attempt(self.connection, reasons):
                oid = self._create(schema, name.name, base.columns, text, base.barrier, self._views.values(), ())
                masked = base.columns if any(n in self._masked for n in source.reads) else ()
                self._record(name, schema, oid, None, ViewText(base.columns, masked, (text,)))
            text = grouped_by(text, reasons[0]) if reasons else None
        if reasons:
            self.left_out.append(Problem(str(name), f"has no masked view: {reasons[0]}"))

    def _create(
        self,
        schema: str,
        name: str,
        columns: Sequence[str],
        select: str,
        barrier: bool,
        allowed: Iterable[int],
        sides: Iterable[str],
    ) -> int:
        """Make one view and look at what it depends on. Raises psycopg's errors; Strange where it depends on too much."""
        c = self.connection
        options = " WITH (security_barrier)" if barrier else ""
        head = composed(f"CREATE VIEW {{}} ({', '.join(['{}'] * len(columns))}){options} AS ", (schema, name), *columns)
        c.execute(head.as_bytes(c) + select.encode())
        row = c.execute(
            "SELECT c.oid::bigint, ARRAY(SELECT d.oid::bigint FROM pg_class d JOIN pg_namespace m ON m.oid = d.relnamespace "
            "WHERE m.nspname = 'dbmask' AND (d.relname = 'secrets' OR d.relname = ANY (%s::name[]))) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            (list(sides), schema, name),
        ).fetchone()
        assert row is not None  # noqa: S101 - it was just made
        self._require_plain(row[0], [*allowed, *row[1]])
        return int(row[0])

    def _require_plain(self, view: int, allowed: Sequence[int]) -> None:
        from psycopg import errors

        from dbmask_sql.packs import statement

        query = statement("postgres", "install_strange_depends").encode()
        given = {"view": view, "allowed": list(allowed), "safe": list(SAFE_EXTENSIONS)}
        strange = [r[0] for r in self.connection.execute(query, given)]
        if strange:
            raise errors.NotSupportedError(f"it depends on {', '.join(strange[:5])}")

    def _record(self, name: TableName, schema: str, oid: int, only: str | None, view: ViewText) -> None:
        self._standing[name] = Standing(schema, name.name, only or name.name)
        self._views[name] = oid
        if view.masked:
            self._masked.add(name)
        self.made.append(f"{schema}.{name.name}")
        self.connection.execute(
            "INSERT INTO dbmask.relation VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::text[])",
            (
                *(self.role, self._base[name].oid, name.schema, name.name, oid, schema, name.name, only),
                *(list(view.columns), list(view.masked)),
            ),
        )

    # -- after the views -----------------------------------------------------------------------------------------

    def _role_rights(self) -> None:
        c = self.connection
        for schema in self.schemas:
            c.execute(composed("GRANT USAGE ON SCHEMA {} TO {}", schema, self.role))
            c.execute(composed("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}", schema, self.role))
        c.execute(composed("GRANT USAGE ON SCHEMA dbmask TO {}", self.role))
        c.execute(composed("GRANT SELECT ON dbmask.relations, dbmask.installation TO {}", self.role))
        # Clients name base tables and their types in catalog look-ups ('public.users'::regclass).
        fresh = [
            schema
            for schema in sorted({n.schema for n in self._standing}.union(self.extensions))
            if not one(c, "SELECT has_schema_privilege(%s, %s, 'USAGE')", self.role, schema)
        ]
        for schema in fresh:
            c.execute(composed("GRANT USAGE ON SCHEMA {} TO {}", schema, self.role))
        c.execute("UPDATE dbmask.class SET usage = usage || %s::name[] WHERE role = %s", (fresh, self.role))
