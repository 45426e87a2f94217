"""PostgreSQL's own grammar, by its binding: trees of statements, written out and put together."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["Refused", "alone", "deparsed", "expression", "fingerprint", "name_of", "parsed", "select_of", "texts"]


class Refused(Exception):
    """A statement that is not sent on; ``state`` is the SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        self.state = state
        super().__init__(f"dbmask: {message}")


@cache
def _postgast() -> Any:
    # Its type stubs cannot be read by mypy.
    return importlib.import_module("postgast")


def parsed(text: str) -> Any:
    """The tree of ``text``; raises Refused."""
    postgast = _postgast()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types

    try:
        return postgast.parse(text)
    except postgast.PgQueryError:
        raise Refused("42601", "syntax error") from None
    except (DecodeError, RecursionError, ValueError):
        raise Refused("54001", "the statement is too deep") from None


def deparsed(tree: Any) -> str:
    """The text of a tree; raises Refused."""
    postgast = _postgast()
    try:
        made: str = postgast.deparse(tree)
    except (postgast.PgQueryError, ValueError, RecursionError):
        raise Refused("0A000", "this statement cannot be written out again") from None
    return made


def fingerprint(text: str) -> str:
    """A hash of the statement without its literals; raises Refused."""
    postgast = _postgast()
    try:
        return str(postgast.fingerprint(text).hex)
    except postgast.PgQueryError:
        raise Refused("42601", "syntax error") from None


def alone(tree: Any, statement: Any) -> Any:
    """A tree with this statement only."""
    made = type(tree)()
    made.version = tree.version
    made.stmts.add().stmt.CopyFrom(statement)
    return made


@cache
def select_of(sql: str) -> Any:
    """The tree of a SELECT of the proxy's own; it is not to be changed."""
    return parsed(sql).stmts[0].stmt


def expression(sql: str, *given: Any) -> Any:
    """The node of an expression of the proxy's own; ``$1`` and so on in it become the nodes ``given``."""
    made = type(select_of("SELECT 1"))()
    made.CopyFrom(select_of(f"SELECT {sql}").select_stmt.target_list[0].res_target.val)
    if given:
        for node in list(_parameters(made)):
            node.CopyFrom(given[node.param_ref.number - 1])
    return made


def _parameters(message: Any) -> Iterator[Any]:
    if message.DESCRIPTOR.name == "Node" and message.WhichOneof("node") == "param_ref":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _parameters(part)


def texts(nodes: Any) -> list[str]:
    """The strings of a list of nodes; "" for what is none."""
    return [n.string.sval for n in nodes]


def name_of(node: Any) -> str:
    """The name that PostgreSQL gives a column which is a call of a function; "" for what is none."""
    kind = node.WhichOneof("node")
    if kind == "func_call":
        return texts(node.func_call.funcname)[-1]
    if kind in ("type_cast", "collate_clause"):
        return name_of(getattr(node, kind).arg)
    return ""
