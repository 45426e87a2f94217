"""PostgreSQL's own grammar, by its binding: trees of statements, written out and put together."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = [
    "Kind",
    "Refused",
    "alone",
    "deparsed",
    "expression",
    "fingerprint",
    "kinds",
    "leaves",
    "name_of",
    "parsed",
    "plain",
    "select_of",
    "texts",
]


_DECODER = json.JSONDecoder()


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


def plain(text: str) -> dict[str, Any]:
    """The tree of ``text`` as the grammar writes it in JSON, which is read faster than messages; raises Refused."""
    lib = _postgast().native.lib
    result = lib.pg_query_parse(text.encode())
    try:
        if result.error:
            raise Refused("42601", "syntax error")
        made: dict[str, Any] = _DECODER.raw_decode(result.parse_tree.decode())[0]
    except (ValueError, RecursionError):
        raise Refused("54001", "the statement is too deep") from None
    finally:
        lib.pg_query_free_parse_result(result)
    return made


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


@dataclass(frozen=True)
class Kind:
    """A kind of message, and its fields in which expressions or statements may stand.

    ``refused``: no SELECT that only reads has it. ``nodes`` hold one Node each, ``one`` another message, ``several`` a list
    of either. Where they are many, ``by_field`` says of each whether it is a list: those that are set are asked for then.
    """

    name: str
    refused: bool
    nodes: tuple[str, ...]
    one: tuple[str, ...]
    several: tuple[str, ...]
    by_field: Mapping[Any, bool] | None

    def parts(self, message: Any) -> Iterator[Any]:
        """What is set in a message of this kind, each Node and other message by itself."""
        if self.by_field is not None:
            for field, value in message.ListFields():
                is_list = self.by_field.get(field)
                if is_list:
                    yield from value
                elif is_list is not None:
                    yield value
            return
        for name in self.several:
            yield from getattr(message, name)
        for name in self.nodes:
            yield getattr(message, name)
        for name in self.one:
            if message.HasField(name):
                yield getattr(message, name)


_NAMES = {("ColumnRef", "fields"), ("A_Expr", "name"), ("FuncCall", "funcname"), ("TypeName", "names")}
"""Lists of Nodes in which the grammar puts names alone."""
_NOT_READ = {"RangeVar", "IntoClause", "LockingClause"}
"""Beside statements; a RangeVar by itself: those in FROM are replaced before."""
_MANY = 4


@cache
def kinds() -> dict[type, Kind]:
    """Every kind of message of the grammar that may hold a Node or a statement at any depth, by its class.

    Others (constants, names) hold nothing that is looked at.
    """
    from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]  # it has no types

    found = parsed("").DESCRIPTOR.file.message_types_by_name
    inner = {n: {f.message_type.name for f in m.fields if f.message_type is not None} for n, m in found.items()}
    holding = {"Node", *(n for n in found if n.endswith("Stmt"))}
    while more := {n for n, of in inner.items() if n not in holding and not holding.isdisjoint(of)}:
        holding |= more
    made = {}
    for name in holding:
        fields = [f for f in found[name].fields if f.message_type is not None and f.message_type.name in holding]
        fields = [f for f in fields if (name, f.name) not in _NAMES]
        several = tuple(f.name for f in fields if f.is_repeated)
        nodes = tuple(f.name for f in fields if not f.is_repeated and f.message_type.name == "Node")
        one = tuple(f.name for f in fields if f.name not in several and f.name not in nodes)
        refused = name in _NOT_READ or (name.endswith("Stmt") and name != "SelectStmt")
        by_field = {f: f.is_repeated for f in fields} if len(fields) > _MANY else None
        made[GetMessageClass(found[name])] = Kind(name, refused, nodes, one, several, by_field)
    return made


@cache
def leaves() -> frozenset[str | None]:
    """What a Node may be that holds neither a Node nor a statement; None is one that is nothing."""
    node = parsed("").DESCRIPTOR.file.message_types_by_name["Node"]
    holding = {kind.name for kind in kinds().values()}
    return frozenset({None, *(f.name for f in node.fields if f.message_type.name not in holding)})


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
