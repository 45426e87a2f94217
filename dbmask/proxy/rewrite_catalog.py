"""What the rewriter knows of a source: masked relations, catalogs with what may be shown of them, functions on the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.proxy.catalog import MaskedRelation, masked_relations
from dbmask.proxy.rewrite_lists import (
    CATALOGS,
    EXTENSIONS,
    INFORMATION,
    NODE_TREES,
    TEXTS_WITH_LITERALS,
    WITHHELD,
    allowed_function,
)

if TYPE_CHECKING:
    import psycopg

__all__ = ["SYSTEM_COLUMNS", "Catalog", "Name", "load_catalog", "without_literals"]

SYSTEM_COLUMNS = "/*system columns*/"
"""Where a catalog's SELECT takes tableoid or xmin, for statements that name them."""
Name = tuple[str, str]
"""Schema and name."""

# The text of SQL, word by word, so that a quote within a quoted name opens no literal.
_WORDS = r"""(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[[:alpha:]_][[:alnum:]_$]*|[0-9][0-9.]*|.)""".replace("'", "''")
_WITHOUT = (
    "(SELECT CASE WHEN dbmask_x IS NOT NULL THEN coalesce((SELECT pg_catalog.string_agg("
    "CASE WHEN w OPERATOR(pg_catalog.~) '^''' THEN '''...'''"
    " WHEN w OPERATOR(pg_catalog.~) '^[0-9]' THEN '0' ELSE w END, '' ORDER BY n) FROM (SELECT m[1] AS w, n FROM"
    " pg_catalog.regexp_matches(dbmask_x, '({})', 'g') WITH ORDINALITY AS t (m, n)) AS words), '') END"
    " FROM (SELECT ({})::text AS dbmask_x) AS of_text)"
)


def without_literals(expression: str) -> str:
    """SQL for the text of ``expression``, which is SQL itself, with every literal replaced."""
    return _WITHOUT.format(_WORDS, expression)


@dataclass(frozen=True)
class Catalog:
    """Names as the server has them.

    ``shown``: a catalog and the SELECT that stands for it; ``functions``: what
    may be called, by schema and name; ``foreign``: names that functions of the source's own have as well;
    ``composite``: those of them that are written like columns; ``present``: every relation there is;
    ``opaque``: relations whose plans would show literals of definitions; ``path``: the database's search_path;
    ``operators``: those that the source's own share a name with, and whether the system has it as well; ``columns`` and
    ``types``: what those of views stand for.
    """

    relations: dict[Name, MaskedRelation]
    shown: dict[Name, str]
    functions: frozenset[Name]
    schemas: frozenset[str]
    views: frozenset[Name] = frozenset()
    foreign: frozenset[str] = frozenset()
    composite: frozenset[str] = frozenset()
    present: frozenset[Name] = frozenset()
    opaque: frozenset[Name] = frozenset()
    operators: Mapping[str, bool] = field(default_factory=dict)
    path: tuple[str, ...] = ("$user", "public")
    columns: Mapping[int, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    types: Mapping[int, int] = field(default_factory=dict)


def load_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """Read the catalogs as the masked role; psycopg's errors pass through."""
    relations = {(r.base_schema, r.base_name): r for r in masked_relations(connection).values()}
    own = {
        oid: name
        for oid, name in connection.execute(
            "SELECT oid::int8, nspname::text FROM pg_catalog.pg_namespace n WHERE nspname = 'dbmask'"
            " OR nspname IN (SELECT view_schema FROM dbmask.relations)"
            " OR nspowner = (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'dbmask')"
            " AND obj_description(oid, 'pg_namespace') LIKE 'dbmask masked views for %'"
        )
    }
    functions = _functions(connection)
    present = frozenset(
        connection.execute(
            "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')"
        )
    )
    foreign = list(connection.execute(_FOREIGN.encode(), _GIVEN))
    return Catalog(
        relations,
        dict(_shown(connection, own)),
        functions,
        frozenset(n for (n,) in connection.execute("SELECT nspname::text FROM pg_catalog.pg_namespace")),
        frozenset((r.view_schema, name) for r in relations.values() for name in (r.view_name, r.only)),
        frozenset(n for n, _ in foreign),
        frozenset(n for n, composite in foreign if composite),
        present,
        frozenset(connection.execute(_OPAQUE.encode())),
        dict(connection.execute(_OPERATORS.encode(), _GIVEN).fetchall()),
        _path(connection),
        _columns(connection),
        dict(connection.execute(_TYPES.encode()).fetchall()),
    )


# Functions and operators are on the list by OID: the system's (initdb gives numbers below 16384) and those of extensions.
# SQL has names alone, so a name of a schema may be used where all that have it there are on the list.
_MEMBER = """EXISTS (
  SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
  WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.objid = {of}.oid AND d.deptype = 'e'
    AND d.classid = 'pg_catalog.{catalog}'::regclass AND e.extname = ANY (%(extensions)s))"""
_GIVEN = {"extensions": list(EXTENSIONS)}
_SYSTEM = "{of}.oid < 16384 AND {of}.{space} = 'pg_catalog'::pg_catalog.regnamespace"
_LISTED = f"({_SYSTEM} OR {_MEMBER})"
_OWN_FUNCTION = _LISTED.format(of="p", catalog="pg_proc", space="pronamespace")
# Functions of the source's own, and whether they take a row alone.
_FOREIGN = f"""
SELECT p.proname::text, bool_or(p.pronargs - p.pronargdefaults <= 1 AND p.pronargs >= 1 AND t.typtype IN ('c', 'p'))
FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0]
WHERE NOT {_OWN_FUNCTION} GROUP BY 1
"""  # noqa: S608 - constants of this module
_CALLABLE = f"""
SELECT n.nspname::text, p.proname::text, bool_and(p.provolatile <> 'v')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
  LATERAL (SELECT NOT 'pg_catalog.internal'::regtype = ANY (p.proargtypes::oid[])
    AND p.prorettype <> ALL ('{{internal,trigger,event_trigger,index_am_handler,tsm_handler,table_am_handler}}'::regtype[])) c (able)
WHERE c.able OR NOT {_OWN_FUNCTION}
GROUP BY 1, 2 HAVING bool_and({_OWN_FUNCTION})
"""  # noqa: S608 - constants of this module
# Names of operators of the source's own, and whether the system's can be told from them.
_OPERATORS = f"""
SELECT o.oprname::text, NOT bool_or(o.oprnamespace = 'pg_catalog'::regnamespace) AND EXISTS (
  SELECT FROM pg_catalog.pg_operator b WHERE b.oprname = o.oprname AND b.oprnamespace = 'pg_catalog'::regnamespace)
FROM pg_catalog.pg_operator o WHERE NOT {_LISTED.format(of="o", catalog="pg_operator", space="oprnamespace")} GROUP BY o.oprname
"""  # noqa: S608 - constants of this module
# Views of the source whose definitions have literals, those that read them, and what a condition filters.
_OPAQUE = r"""
WITH RECURSIVE said AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN dbmask.relations r ON r.base = c.oid
  JOIN pg_catalog.pg_class v ON v.oid = r.view
  WHERE c.relkind IN ('v', 'm') AND pg_catalog.pg_get_viewdef(c.oid) ~ '''|\m[0-9]'
     OR 'security_barrier=true' = ANY (v.reloptions)
     OR EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '''')
  UNION
  SELECT w.ev_class FROM said s JOIN pg_catalog.pg_depend d ON d.refobjid = s.oid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
)
SELECT r.base_schema::text, r.base_name::text FROM said JOIN dbmask.relations r ON r.base = said.oid
"""
_TYPES = """
SELECT x.a::int8, x.b::int8 FROM dbmask.relations r
JOIN pg_catalog.pg_class v ON v.oid = r.view JOIN pg_catalog.pg_type vt ON vt.oid = v.reltype
JOIN pg_catalog.pg_class c ON c.oid = r.base JOIN pg_catalog.pg_type ct ON ct.oid = c.reltype
CROSS JOIN LATERAL (VALUES (vt.oid, ct.oid), (vt.typarray, ct.typarray)) AS x (a, b)
WHERE (SELECT array_agg((a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped)
    = (SELECT array_agg((a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
"""


def _functions(connection: psycopg.Connection[Any]) -> frozenset[Name]:
    rows = connection.execute(_CALLABLE.encode(), _GIVEN)
    found = {(schema, name) for schema, name, calm in rows if allowed_function(name, calm)}
    return frozenset(found | {("information_schema", "_pg_expandarray")})


def _path(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """What clients of this database have as search_path where nothing else is set."""
    rows = connection.execute(
        "SELECT substr(c, 13) FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,"
        " unnest(s.setconfig) c WHERE d.datname = current_database() AND s.setrole = 0 AND starts_with(c, 'search_path=')"
    ).fetchall()
    return tuple(p.strip().strip('"') for p in rows[0][0].split(",")) if rows else ("$user", "public")


def _columns(connection: psycopg.Connection[Any]) -> Mapping[int, Mapping[int, tuple[int, int]]]:
    """Each view's columns: what base relation and column they stand for."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for view, number, base, of in connection.execute(
        "SELECT v.attrelid::int8, v.attnum, b.attrelid::int8, b.attnum FROM dbmask.relations r JOIN pg_catalog.pg_attribute v"
        " ON v.attrelid = r.view AND v.attnum > 0 JOIN pg_catalog.pg_attribute b ON b.attrelid = r.base"
        " AND b.attname = v.attname AND b.attnum > 0"
    ):
        found.setdefault(view, {})[number] = (base, of)
    return found


def _shown(connection: psycopg.Connection[Any], own: Mapping[int, str]) -> Iterator[tuple[Name, str]]:
    """The SELECTs that stand for catalogs: what dbmask made is left out, and no column holds a literal."""
    columns: dict[Name, list[tuple[str, str]]] = {}
    tables: set[Name] = set()
    for schema, table, column, kind, is_table in connection.execute(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, NULL), c.relkind = 'r'"
        " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.attnum > 0 AND NOT a.attisdropped AND (n.nspname = 'pg_catalog' AND c.relname = ANY (%s)"
        " OR n.nspname = 'information_schema' AND c.relname = ANY (%s)) ORDER BY 1, 2, a.attnum",
        (list(CATALOGS), list(INFORMATION)),
    ):
        columns.setdefault((schema, table), []).append((column, kind))
        if is_table:
            tables.add((schema, table))
    names = ", ".join("'" + n.replace("'", "''") + "'" for n in own.values()) or "''"
    numbers = ", ".join(map(str, own)) or "0"
    for (schema, table), listed in columns.items():
        every = ", ".join(_column(table, c, kind, schema) for c, kind in listed)
        there = {c for c, _ in listed}
        kept = [
            f"x.{_quoted(c)} NOT IN ({numbers})"
            for c in ("relnamespace", "typnamespace", "pronamespace", "connamespace")
            if c in there
        ]
        kept += [
            f"x.{_quoted(c)}::text NOT IN ({names})"
            for c in (
                "schemaname",
                "nspname",
                "schema_name",
                "specific_schema",
                "sequence_schema",
                "event_object_schema",
            )
            if c in there
        ]
        join = ""
        if schema == "information_schema" and "table_schema" in there:
            join = " LEFT JOIN dbmask.relations r ON r.view_schema = x.table_schema AND r.view_name = x.table_name"
            kept.append(f"(r.base IS NOT NULL OR x.table_schema NOT IN ({names}))")
            if table == "views":
                kept.append("NOT EXISTS (SELECT FROM pg_catalog.pg_class b WHERE b.oid = r.base AND b.relkind <> 'v')")
        mark = SYSTEM_COLUMNS if (schema, table) in tables else ""
        where = f" WHERE {' AND '.join(kept)}" if kept else ""
        yield (schema, table), f"SELECT {mark}{every} FROM {schema}.{table} AS x{join}{where}"  # noqa: S608 - the catalog's names


def _column(table: str, column: str, kind: str, schema: str) -> str:
    name = _quoted(column)
    if (table, column) in NODE_TREES:
        owner = NODE_TREES[table, column]
        relation = owner if owner == "0" else f"x.{owner}"
        return f"{without_literals(f'pg_catalog.pg_get_expr(x.{name}, {relation}, true)')} AS {name}"
    if column in WITHHELD or kind == "pg_node_tree":
        return f"NULL::{'text' if kind == 'pg_node_tree' else kind} AS {name}"
    if column in TEXTS_WITH_LITERALS:
        return f"{without_literals(f'x.{name}')}::{kind} AS {name}"
    if schema == "information_schema":
        if column == "table_schema":
            return f"coalesce(r.base_schema, x.table_schema)::{kind} AS {name}"
        if column == "table_name":
            return f"coalesce(r.base_name, x.table_name)::{kind} AS {name}"
        if (table, column) == ("tables", "table_type"):
            is_table = "SELECT FROM pg_catalog.pg_class b WHERE b.oid = r.base AND b.relkind IN ('r', 'p')"
            return f"CASE WHEN EXISTS ({is_table}) THEN 'BASE TABLE' ELSE x.table_type END::{kind} AS {name}"
    return f"x.{name}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
