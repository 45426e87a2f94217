"""What is sent on, read again by PostgreSQL's own grammar: all that it names must be on the lists.

It shares the lists with the walk that rewrites, and no step of its way: this one goes over the tree as the grammar writes
it in JSON, by the words in it alone, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbmask.proxy.rewrite_lists import FREE_SETTINGS
from dbmask.proxy.rewrite_names import Names
from dbmask.proxy.trees import Refused, plain

__all__ = ["Check"]

_Tree = dict[str, Any]
_Scope = frozenset[str]
_OPERATOR_KINDS = frozenset(("AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL"))
_NOT_READ = frozenset(("intoClause", "LockingClause", "RangeTableSample", "relation", "rel"))
"""What a SELECT that only reads views does not hold."""
_CONSTANTS = frozenset(("A_Const", "String"))
_NAMES = frozenset(("fields", "name", "funcname", "names"))
"""Lists in which the grammar puts names alone."""


class Check:
    """Looks at generated SELECTs. Not changed by use."""

    def __init__(self, names: Names) -> None:
        self._names, self._catalog = names, names.catalog
        self._kinds: dict[str, Callable[[_Tree, _Scope], None]] = {
            "RangeVar": self._relation,
            "FuncCall": self._call,
            "A_Expr": self._operator,
            "SortBy": self._operator,
            "SubLink": self._operator,
            "ColumnRef": self._column,
            "A_Indirection": self._column,
        }

    def require(self, sql: str) -> set[str]:
        """That ``sql`` is one SELECT which names what is on the lists alone; raises Refused.

        The names that it defines itself, for whoever looks next.
        """
        statements = plain(sql)["stmts"]
        if len(statements) != 1 or list(statements[0]["stmt"]) != ["SelectStmt"]:
            raise Refused("42501", "only SELECT is allowed here")
        ctes: set[str] = set()
        stack: list[tuple[_Tree, _Scope]] = [(statements[0]["stmt"], frozenset())]
        while stack:
            part, scope = stack.pop()
            if "withClause" in part:
                part, scope = _with(part, scope, stack)
                ctes |= scope
            for key, value in part.items():
                if type(value) is dict:
                    if key in _CONSTANTS:
                        continue
                    if key in self._kinds:
                        self._kinds[key](value, scope)
                    elif key in _NOT_READ or (key[-4:] == "Stmt" and key != "SelectStmt"):
                        raise Refused("42501", f"{key.removesuffix('Stmt')} is not allowed here")
                    stack.append((value, scope))
                elif type(value) is list and key not in _NAMES:
                    for item in value:
                        stack.append((item, scope))
        return ctes

    def _relation(self, var: _Tree, scope: _Scope) -> None:
        schema, name = var.get("schemaname", ""), var.get("relname", "")
        if "catalogname" in var or (schema or name not in scope):
            self._names.require_listed((schema, name) if "catalogname" not in var else ("", ""))

    def _call(self, call: _Tree, _: _Scope) -> None:
        names, given = _texts(call["funcname"]), call.get("args", [])
        if self._names.resolved(names, len(given)) != names:
            raise Refused("42501", "the statement calls what is not on the list")
        if names[-1] not in ("current_setting", "set_config") or not given:
            return
        (kind,) = given[0]
        setting = given[0][kind].get("sval", {}).get("sval", "").lower() if kind == "A_Const" else ""
        known = setting in FREE_SETTINGS if names[-1] == "set_config" else kind in ("A_Const", "CaseExpr")
        if not known or "." in setting:
            raise Refused("42501", "this setting is not shown")

    def _operator(self, part: _Tree, _: _Scope) -> None:
        names: list[_Tree] = part.get("name") or part.get("useOp") or part.get("operName") or []
        apart = self._catalog.operators.get(names[-1]["String"]["sval"]) if names else None
        if apart is None:
            return
        written = _texts(names)
        if apart and written[:-1] == ["pg_catalog"]:
            return
        if not apart or len(written) > 1 or part.get("kind", "AEXPR_OP") in _OPERATOR_KINDS:
            raise Refused("42501", "this operator is not on the list of operators")

    def _column(self, part: _Tree, _: _Scope) -> None:
        if "indirection" in part:
            self._names.attributes(_texts(part["indirection"]))
        elif len(part["fields"]) > 1:
            self._names.attributes(_texts(part["fields"][1:]))


def _with(statement: _Tree, scope: _Scope, stack: list[tuple[_Tree, _Scope]]) -> tuple[_Tree, _Scope]:
    """The statement without its WITH, whose parts come on the stack with what each may name, and what the rest may."""
    clause = statement["withClause"]
    ctes = [c["CommonTableExpr"] for c in clause["ctes"]]
    every = scope | {c["ctename"] for c in ctes}
    seen = scope
    for cte in ctes:
        stack.append((cte, every if clause.get("recursive") else seen))
        seen = seen | {cte["ctename"]}
    return {key: value for key, value in statement.items() if key != "withClause"}, every


def _texts(nodes: list[_Tree]) -> list[str]:
    """The strings of a list of nodes; "" for what is none."""
    return [node.get("String", {}).get("sval", "") for node in nodes]
