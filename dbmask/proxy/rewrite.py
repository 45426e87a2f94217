"""Statements of clients, rewritten: PostgreSQL's own grammar reads them, the server's catalog resolves their names.

What is sent on is generated from the tree, and read twice more, by the same grammar and by another parser: whatever is
not on a list is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.proxy.check import Check
from dbmask.proxy.paths import Move, Paths
from dbmask.proxy.rewrite_catalog import Catalog, Name
from dbmask.proxy.rewrite_lists import SETTINGS
from dbmask.proxy.rewrite_names import Names
from dbmask.proxy.second_look import SecondLook
from dbmask.proxy.trees import Refused, alone, deparsed, expression, parsed, select_of, texts

__all__ = ["SETTINGS", "Refused", "Rewriter", "Rewritten"]

_PLAIN = frozenset(
    (
        *("transaction_stmt", "variable_show_stmt", "fetch_stmt", "close_portal_stmt", "deallocate_stmt"),
        *("discard_stmt", "unlisten_stmt"),
    )
)
_EXPLAIN = frozenset(("analyze", "costs", "buffers", "timing", "summary", "format", "wal"))
_MAX_DEPTH = 400
_LAST_PLAIN_TRANSACTION = 7  # TRANS_STMT_ROLLBACK_TO; two-phase commit comes after it
_SAVEPOINTS = {5: "save", 6: "release", 7: "back"}  # TRANS_STMT_SAVEPOINT and those after it
_RESET_ALL = 6  # VAR_RESET_ALL
_SET_VALUE = 1  # VAR_SET_VALUE


@dataclass
class Rewritten:
    """What is sent on; ``moves`` are what it does to the search path; ``tables`` are read, by schema and name.

    ``masked`` and ``fingerprint`` are for the audit log.
    """

    sql: str = ""
    moves: list[Move] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)
    fingerprint: str | None = None


class Rewriter:
    """Rewrites for one source. Not changed by use: sessions share it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.names = Names(catalog)
        self.check = Check(self.names)
        self.look = SecondLook(catalog)

    def rewrite(
        self, text: str, path: Sequence[str], user: str = "", default: Sequence[str] | None = None
    ) -> Rewritten:
        """Rewrite every statement of ``text``; raises Refused.

        ``path`` is the client's search path, ``default`` what RESET makes it, ``$user`` stands for ``user``.
        """
        done = Rewritten()
        tree = parsed(text)
        usual = list(self.catalog.path if default is None else default)
        lowered = text.lower()
        system = [n for n in ("tableoid", "xmin") if n in lowered]
        paths = Paths(list(path))
        for raw in tree.stmts:
            before = len(done.moves)
            now = [user if p == "$user" else p for p in paths.now]
            _Statement(self, now, done, usual, user, system).top(raw.stmt)
            paths.take(done.moves[before:])
        done.sql = deparsed(tree)
        for query in self._queries(tree, done.sql):
            self.look.require(query, self.check.require(query))
        return done

    def _queries(self, tree: Any, sql: str) -> list[str]:
        """The text of each SELECT in generated SQL, whose other statements and their options are looked at; raises Refused."""
        if len(tree.stmts) == 1 and tree.stmts[0].stmt.WhichOneof("node") == "select_stmt":
            return [sql]
        made = parsed(sql)
        found = []
        for raw in made.stmts:
            _Outer(self, (), Rewritten(), [], "").top(raw.stmt)
            query = _query(raw.stmt)
            if query is not None:
                text = deparsed(alone(made, query))
                if text.removeprefix("VALUES ") not in sql:
                    raise Refused("0A000", "this statement cannot be written out again")
                found.append(text)
        return found


def _query(statement: Any) -> Any:
    """The SELECT of a statement, itself or within, or the parameters of EXECUTE as one; None where it has none."""
    kind = statement.WhichOneof("node")
    if kind == "select_stmt":
        return statement
    if kind in ("declare_cursor_stmt", "explain_stmt", "prepare_stmt", "copy_stmt"):
        return getattr(statement, kind).query
    if kind == "execute_stmt" and len(statement.execute_stmt.params):
        query = type(statement)()
        query.select_stmt.CopyFrom(select_of("VALUES (1)").select_stmt)
        row = query.select_stmt.values_lists[0].list
        del row.items[:]
        row.items.extend(statement.execute_stmt.params)
        return query
    return None


class _Statement:
    """One walk over one statement, which rewrites it."""

    def __init__(
        self,
        rewriter: Rewriter,
        path: Sequence[str],
        done: Rewritten,
        usual: list[str],
        user: str,
        system: Sequence[str] = (),
    ) -> None:
        self.catalog, self.names = rewriter.catalog, rewriter.names
        self.path, self.done = path, done
        self.usual, self.user, self.system = usual, user, system

    def top(self, node: Any) -> None:
        kind = node.WhichOneof("node")
        statement = getattr(node, kind)
        if kind == "select_stmt":
            self.node(node, frozenset(), 0)
        elif kind in ("declare_cursor_stmt", "explain_stmt", "prepare_stmt"):
            if kind == "explain_stmt" and not {o.def_elem.defname for o in statement.options} <= _EXPLAIN:
                raise Refused("42501", "this option of EXPLAIN is not allowed")
            if statement.query.WhichOneof("node") != "select_stmt":
                raise Refused("42501", "only SELECT is allowed here")
            before = len(self.done.names)
            self.node(statement.query, frozenset(), 0)
            if kind == "explain_stmt" and not self.catalog.opaque.isdisjoint(self.done.names[before:]):
                raise Refused("42501", "a plan would show literals of a definition")
        elif kind == "execute_stmt":
            for part in statement.params:
                self.node(part, frozenset(), 0)
        elif kind == "copy_stmt":
            whole = statement.query.WhichOneof("node") == "select_stmt" and not statement.HasField("relation")
            if not whole or statement.is_from or statement.is_program or statement.filename:
                raise Refused("42501", "of COPY, only COPY (SELECT ...) TO STDOUT is allowed")
            self.node(statement.query, frozenset(), 0)
        elif kind == "variable_set_stmt":
            self._set(statement)
        elif kind == "transaction_stmt":
            if statement.kind > _LAST_PLAIN_TRANSACTION:
                raise Refused("0A000", "two-phase commit is not supported")
            if statement.kind in _SAVEPOINTS:
                self.done.moves.append(Move(_SAVEPOINTS[statement.kind], name=statement.savepoint_name))
        elif kind == "variable_show_stmt" and ("." in statement.name or statement.name.lower() == "all"):
            raise Refused("42501", "this setting is not shown")
        elif kind == "discard_stmt":
            self.done.moves.append(Move("set", tuple(self.usual)))
        elif kind not in _PLAIN:
            raise Refused("42501", f"{kind.removesuffix('_stmt').replace('_', ' ').upper()} is not allowed here")

    def _set(self, statement: Any) -> None:
        name = statement.name.lower()
        if statement.kind == _RESET_ALL:
            self.done.moves.append(Move("set", tuple(self.usual)))
            return
        if name in ("transaction", "session characteristics", "transaction_isolation", "transaction_read_only"):
            return
        if name not in SETTINGS:
            raise Refused("42501", "this setting is not to be set here")
        given = [a.a_const.sval.sval for a in statement.args]
        if name == "client_encoding" and given and given[0].lower().replace("-", "") not in ("utf8", "unicode"):
            raise Refused("0A000", "only the client encoding UTF8 is supported")
        if name == "standard_conforming_strings" and given and given[0].lower() not in ("on", "true", "yes"):
            raise Refused("0A000", "literals are read as the standard says")
        if name == "search_path":
            path = given or list(self.usual)
            self.done.moves.append(Move("local" if statement.is_local else "set", tuple(path)))
            statement.kind = _SET_VALUE
            del statement.args[:]
            for schema in path:
                statement.args.add().a_const.sval.sval = self.user if schema == "$user" and self.user else schema

    def visit(self, message: Any, scope: frozenset[str], depth: int) -> None:
        """Walk over a message that is no Node, and what it holds."""
        kind = self.names.kinds[type(message)]
        name = kind.name
        if depth > _MAX_DEPTH:
            raise Refused("54001", "the statement is too deep")
        skipped = None
        if kind.refused:
            raise Refused("42501", f"{name.removesuffix('Stmt')} is not allowed here")
        if name == "SelectStmt":
            if message.HasField("with_clause"):
                scope = self._with(message, scope, depth)
                skipped = type(message.with_clause)
        elif name == "FuncCall":
            self.names.function(message)
        elif name in ("A_Expr", "SortBy", "SubLink"):
            self.names.operator(message)
        elif name == "A_Indirection":
            self.names.attributes(texts(message.indirection))
        for part in kind.parts(message):
            if type(part) is self.names.node:
                self.node(part, scope, depth + 1)
            elif type(part) is not skipped:
                self.visit(part, scope, depth + 1)

    def node(self, node: Any, scope: frozenset[str], depth: int) -> None:
        """Walk over a Node."""
        kind = node.WhichOneof("node")
        if kind in self.names.leaves:
            return
        if kind == "column_ref":  # it holds names alone
            self.names.column(node.column_ref)
            return
        if kind == "range_var":
            self._relation(node, scope)
            return
        if kind == "range_table_sample":
            self._sample(node, scope, depth)
            return
        if kind == "range_table_func":
            # Written out, a cast would stand there without its parentheses.
            node.range_table_func.docexpr.CopyFrom(expression("(SELECT $1)", node.range_table_func.docexpr))
        if kind == "range_function":
            self.names.unnested(node.range_function)
        if kind == "res_target":
            self.names.title(node.res_target)
        self.visit(getattr(node, kind), scope, depth + 1)
        if kind == "func_call":
            self.names.replace(node)

    def _with(self, statement: Any, scope: frozenset[str], depth: int) -> frozenset[str]:
        clause = statement.with_clause
        ctes = [c.common_table_expr for c in clause.ctes]
        every = scope | {c.ctename for c in ctes}
        seen = scope
        for cte in ctes:
            inner = every if clause.recursive else seen
            self.node(cte.ctequery, inner, depth + 1)
            for part in (cte.search_clause, cte.cycle_clause):
                self.visit(part, inner, depth + 1)
            seen = seen | {cte.ctename}
        return every

    def _relation(self, node: Any, scope: frozenset[str]) -> None:
        var = node.range_var
        if var.catalogname:
            raise Refused("0A000", "names of three parts are not supported")
        if not var.schemaname and var.relname in scope:
            return
        key = self.names.relation(var.schemaname, var.relname, self.path)
        self.done.tables.append(".".join(key))
        self.done.names.append(key)
        self.names.stand_in(node, key, self.system)

    def _sample(self, node: Any, scope: frozenset[str], depth: int) -> None:
        for part in (*node.range_table_sample.args, node.range_table_sample.repeatable):
            self.node(part, scope, depth + 1)
        var = node.range_table_sample.relation.range_var
        if var.relname in scope and not var.schemaname:
            raise Refused("42809", "samples are taken of tables")
        inner = type(node)()
        inner.CopyFrom(node.range_table_sample.relation)
        self._relation(inner, scope)
        self.names.sample(node, inner)


class _Outer(_Statement):
    """Looks at a statement's kind and options; the SELECT within is looked at by itself."""

    def node(self, node: Any, scope: frozenset[str], depth: int) -> None:
        """Nothing."""
