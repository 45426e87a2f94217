"""Statements of clients, rewritten: PostgreSQL's own grammar reads them, the server's catalog resolves their names.

What is sent on is generated from the tree, and read once more: whatever is not on a list is refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.proxy.rewrite_catalog import HIDING, Catalog
from dbmask.proxy.settings import SETTINGS, new_path, set_problem

__all__ = ["SETTINGS", "Refused", "Rewriter", "Rewritten"]

_PLAIN = frozenset(("transaction_stmt", "variable_show_stmt", "fetch_stmt", "close_portal_stmt", "deallocate_stmt"))
_MAX_DEPTH = 400
_LAST_PLAIN_TRANSACTION = 7  # TRANS_STMT_ROLLBACK_TO; two-phase commit comes after it


class Refused(Exception):
    """A statement that is not sent on; ``state`` is the SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        self.state = state
        super().__init__(f"dbmask: {message}")


@dataclass
class Rewritten:
    """What is sent on; ``path`` where the statement sets the search path; ``tables`` that are read.

    ``local``: the path holds to the end of the transaction. ``masked`` and ``fingerprint`` are for the audit log.
    """

    sql: str = ""
    path: list[str] | None = None
    local: bool = False
    tables: list[str] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)
    fingerprint: str | None = None


class Rewriter:
    """Rewrites for one source. Not changed by use: sessions share it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.columns = frozenset(c for r in catalog.relations.values() for c in r.columns)

    def rewrite(self, text: str, path: Sequence[str]) -> Rewritten:
        """Rewrite every statement of ``text``; raises Refused."""
        postgast = _postgast()

        done = Rewritten()
        tree = _parsed(text)
        parts = []
        for raw in tree.stmts:
            _Statement(self, done.path or path, done).top(raw.stmt)
        try:
            made = postgast.deparse(tree)
        except (postgast.PgQueryError, ValueError):
            raise Refused("0A000", "this statement cannot be written out again") from None
        parts.append(made)
        done.sql = "".join(parts)
        for raw in _parsed(done.sql).stmts:
            _Statement(self, (), Rewritten(), check=True).top(raw.stmt)
        return done


def _postgast() -> Any:
    # Its type stubs cannot be read by mypy.
    return importlib.import_module("postgast")


def _parsed(text: str) -> Any:
    postgast = _postgast()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types

    try:
        return postgast.parse(text)
    except postgast.PgQueryError:
        raise Refused("42601", "syntax error") from None
    except (DecodeError, RecursionError, ValueError):
        raise Refused("54001", "the statement is too deep") from None


class _Statement:
    """One walk over one statement: to rewrite it, or with ``check`` to see that nothing is left to rewrite."""

    def __init__(self, rewriter: Rewriter, path: Sequence[str], done: Rewritten, check: bool = False) -> None:
        self.catalog, self.columns = rewriter.catalog, rewriter.columns
        self.path, self.done, self.check = path, done, check

    def top(self, node: Any) -> None:
        kind = node.WhichOneof("node")
        statement = getattr(node, kind)
        if kind == "select_stmt":
            self.visit(node, frozenset(), 0)
        elif kind in ("declare_cursor_stmt", "explain_stmt"):
            if kind == "explain_stmt":
                names = {o.def_elem.defname for o in statement.options}
                if not names <= {"analyze", "costs", "buffers", "timing", "summary", "format"}:
                    raise Refused("42501", "this option of EXPLAIN is not allowed")
            if statement.query.WhichOneof("node") != "select_stmt":
                raise Refused("42501", "only SELECT is allowed here")
            self.visit(statement.query, frozenset(), 0)
        elif kind == "copy_stmt":
            whole = statement.query.WhichOneof("node") == "select_stmt" and not statement.HasField("relation")
            if not whole or statement.is_from or statement.is_program or statement.filename:
                raise Refused("42501", "of COPY, only COPY (SELECT ...) TO STDOUT is allowed")
            self.visit(statement.query, frozenset(), 0)
        elif kind == "variable_set_stmt":
            self._set(statement)
        elif kind == "transaction_stmt" and statement.kind > _LAST_PLAIN_TRANSACTION:
            raise Refused("0A000", "two-phase commit is not supported")
        elif kind == "variable_show_stmt" and statement.name.lower().startswith("dbmask"):
            raise Refused("42501", "this setting is not shown")
        elif kind not in _PLAIN:
            raise Refused("42501", f"{kind.removesuffix('_stmt').replace('_', ' ').upper()} is not allowed here")

    def _set(self, statement: Any) -> None:
        if self.check and statement.name.lower() == "dbmask.search_path":
            return
        problem = set_problem(statement)
        if problem is not None:
            raise Refused(*problem)
        path = new_path(statement)
        if path is None:
            return
        if statement.name and self.check:
            raise Refused("42501", "the search path is the proxy's")
        self.done.path, self.done.local = path or ["$user", "public"], statement.is_local
        if statement.name:
            statement.name = "dbmask.search_path"
            del statement.args[1:]

    def visit(self, message: Any, scope: frozenset[str], depth: int) -> None:
        name = message.DESCRIPTOR.name
        if depth > _MAX_DEPTH:
            raise Refused("54001", "the statement is too deep")
        if name == "Node":
            if message.WhichOneof("node") == "range_var":
                self._relation(message, scope)
                return
            if message.WhichOneof("node") == "func_call" and self._hidden(message):
                return
        elif name == "SelectStmt":
            scope = self._with(message, scope, depth)
        elif name in ("RangeVar", "IntoClause", "LockingClause") or name.endswith("Stmt"):
            raise Refused("42501", f"{name.removesuffix('Stmt')} is not allowed here")
        elif name == "FuncCall":
            self._function(message)
        elif name == "ColumnRef":
            self._column(message)
        for field_, value in message.ListFields():
            if field_.message_type is None or (name == "SelectStmt" and field_.name == "with_clause"):
                continue
            for part in [value] if hasattr(value, "ListFields") else value:
                self.visit(part, scope, depth + 1)

    def _with(self, statement: Any, scope: frozenset[str], depth: int) -> frozenset[str]:
        clause = statement.with_clause
        ctes = [c.common_table_expr for c in clause.ctes]
        every = scope | {c.ctename for c in ctes}
        seen = scope
        for cte in ctes:
            self.visit(cte.ctequery, every if clause.recursive else seen, depth + 1)
            seen = seen | {cte.ctename}
        return every

    def _relation(self, node: Any, scope: frozenset[str]) -> None:
        var = node.range_var
        if var.catalogname or (not var.schemaname and var.relname in scope):
            if var.catalogname:
                raise Refused("0A000", "names of three parts are not supported")
            return
        key = self._resolve(var)
        alias = var.alias.aliasname or var.relname
        if self.check:
            if key not in self.catalog.views and key not in self.catalog.hiding:
                raise Refused("42501", "the statement reads what is not on the list")
            return
        self.done.tables.append(".".join(key))
        found = self.catalog.relations.get(key)
        if found is not None:
            var.schemaname, var.relname = found.view_schema, found.view_name if var.inh else found.only
            var.inh, var.alias.aliasname = True, alias
            return
        columns = f"tableoid, {self.catalog.hiding[key]}" if key[0] == "pg_catalog" else self.catalog.hiding[key]
        if key[0] == "pg_catalog" and key[1] in ("pg_roles", "pg_settings", "pg_tables", "pg_views", "pg_indexes"):
            columns = self.catalog.hiding[key]
        if key[1] in ("pg_matviews", "pg_timezone_names", "pg_timezone_abbrevs"):
            columns = self.catalog.hiding[key]
        names = [a.string.sval for a in var.alias.colnames]
        made = _parsed(f"SELECT 1 FROM (SELECT {columns} FROM {key[0]}.{key[1]}) AS x").stmts[0].stmt.select_stmt  # noqa: S608
        node.CopyFrom(made.from_clause[0])
        node.range_subselect.alias.aliasname = alias
        for column in names:
            node.range_subselect.alias.colnames.add().string.sval = column

    def _resolve(self, var: Any) -> tuple[str, str]:
        schemas = [var.schemaname] if var.schemaname else ["pg_catalog", *self.path]
        for schema in schemas:
            key = (schema, var.relname)
            if (
                key in self.catalog.relations
                or key in self.catalog.hiding
                or (self.check and key in self.catalog.views)
            ):
                return key
        raise Refused("42501", "a relation of this statement does not exist or is not to be read here")

    def _hidden(self, node: Any) -> bool:
        names = [n.string.sval for n in node.func_call.funcname]
        if self.check or names[-1] not in HIDING or names[:-1] not in ([], ["pg_catalog"]):
            return False
        node.CopyFrom(_parsed("SELECT NULL::text").stmts[0].stmt.select_stmt.target_list[0].res_target.val)
        return True

    def _function(self, call: Any) -> None:
        names = [n.string.sval for n in call.funcname]
        attribute = len(names) == 1 and len(call.args) == 1 and names[0] in self.columns
        if names[-1] in self.catalog.functions or attribute:
            return
        raise Refused("42501", f"function {names[-1]} is not on the list of functions")

    def _column(self, column: Any) -> None:
        if len(column.fields) == 3 and column.fields[0].string.sval in self.catalog.schemas:
            del column.fields[0]
