"""The sections of a policy that speak of tables: ``tables:`` and ``relations:``, made into rules."""

from __future__ import annotations

import re
from typing import Any

from dbmask.masks.base import nearest
from dbmask.policy.document import Document, Path_
from dbmask.policy.model import ColumnRule, GroupRule, Relation, TableMode, TableRule
from dbmask.policy.names import check_table_name
from dbmask.policy.specs import Specs
from dbmask.schema import TableName

__all__ = ["LEFTOVER", "MODES", "TABLE", "read_relations", "read_tables"]

TABLE = ("columns", "where", "anonymizer", "max_rows", "leftover", "mode")
"""What may stand below a table."""
MODES = tuple(m.value for m in TableMode if m is not TableMode.MASK)
LEFTOVER = ("materialize", "placeholder")
_FORMS = f"{', '.join(MODES)}, or a mapping with `columns:`"

_NAME = r'(?:"(?:[^"]|"")+"|[^".,()>]+)'
_END = rf"\s*({_NAME}(?:\.{_NAME}){{0,2}})\s*(?:\(({_NAME}(?:,{_NAME})*)\))?\s*"
_ONE_END = re.compile(_END)
_BOTH_ENDS = re.compile(rf"({_END})->({_END})")


def read_tables(document: Document, section: dict[str, Any], specs: Specs) -> list[TableRule]:
    """The rules of a ``tables:`` section; what is wrong is noted in the document."""
    made = []
    for name, body in section.items():
        path: Path_ = ("tables", name)
        try:
            check_table_name(name)
        except ValueError as error:
            document.fail(path, f"table name {name!r}: {error}")
            continue
        if isinstance(body, str) and body in MODES:
            made.append(TableRule(name, TableMode(body), where=document.where(path)))
        elif isinstance(body, str):
            document.fail(path, f"a table is {_FORMS}", nearest(body, MODES))
        elif isinstance(body, dict):
            made.append(_table(document, name, body, specs))
        else:
            document.fail(path, f"table {name} has no rule", f"give it {_FORMS}")
    return made


def _table(document: Document, name: str, body: dict[str, Any], specs: Specs) -> TableRule:
    path: Path_ = ("tables", name)
    for key in body:
        if key not in TABLE:
            document.fail((*path, key), f"unknown key {key!r} in table {name}", nearest(key, TABLE))
    columns = []
    listed = body.get("columns")
    listed = {} if listed is None else listed
    if not isinstance(listed, dict):
        document.fail((*path, "columns"), "`columns:` must be a mapping of column to mask")
        listed = {}
    for column, spec in listed.items():
        place: Path_ = (*path, "columns", column)
        mask = specs.mask(document, place, spec)
        if mask is not None:
            columns.append(ColumnRule(column, mask, document.where(place)))
    mode = _mode(document, path, body)
    where = body.get("where")
    if where is not None and not (isinstance(where, str) and where.strip()):
        document.fail((*path, "where"), "`where:` must be a SQL condition as text")
        where = None
    groups = _groups(document, path, body, specs)
    options = _options(document, path, body)
    return TableRule(name, mode, tuple(columns), groups, where, document.where(path), options)


def _mode(document: Document, path: Path_, body: dict[str, Any]) -> TableMode:
    mode = body.get("mode", "mask")
    if mode not in list(TableMode):
        document.fail((*path, "mode"), f"`mode:` is one of {', '.join(TableMode)}", nearest(str(mode), list(TableMode)))
        return TableMode.MASK
    idle = {
        TableMode.MASK: (),
        TableMode.KEEP: ("columns", "anonymizer", "leftover"),
        TableMode.EMPTY: TABLE[:-1],
        TableMode.SKIP: TABLE[:-1],
    }[TableMode(mode)]
    # A mask that is written and does nothing would be believed.
    for key in idle:
        if key in body:
            document.fail((*path, key), f"`{key}:` does nothing where `mode: {mode}` stands", "take one of them out")
    return TableMode(mode)


def _groups(document: Document, path: Path_, body: dict[str, Any], specs: Specs) -> tuple[GroupRule, ...]:
    if "anonymizer" not in body:
        return ()
    place: Path_ = (*path, "anonymizer")
    spec = body["anonymizer"]
    if not isinstance(spec, dict):
        document.fail(place, "`anonymizer:` must be a mapping of its parameters")
        return ()
    if "mask" in spec:
        document.fail((*place, "mask"), "`anonymizer:` is a mask itself and takes no other", "leave `mask:` out")
        return ()
    mask = specs.mask(document, place, {"mask": "anonymizer", **spec})
    return () if mask is None else (GroupRule(mask, document.where(place)),)


def _options(document: Document, path: Path_, body: dict[str, Any]) -> dict[str, Any]:
    rows = body.get("max_rows", 0)
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        document.fail((*path, "max_rows"), "`max_rows:` is a number of rows")
    leftover = body.get("leftover", LEFTOVER[0])
    if leftover not in LEFTOVER:
        document.fail((*path, "leftover"), f"`leftover:` is {' or '.join(LEFTOVER)}", nearest(str(leftover), LEFTOVER))
    return {k: body[k] for k in ("max_rows", "leftover") if k in body}


def read_relations(document: Document, listed: Any) -> list[Relation]:
    """The foreign keys of a ``relations:`` section; what is wrong is noted in the document."""
    if listed is None:
        return []
    if not isinstance(listed, list):
        document.fail(("relations",), "`relations:` must be a list of `table.column -> table.column`")
        return []
    made = (_relation(document, ("relations", i), item) for i, item in enumerate(listed))
    return [relation for relation in made if relation is not None]


def _relation(document: Document, path: Path_, item: Any) -> Relation | None:
    """``s.t.c -> s.t.c``, composite ``s.t(c, d) -> s.t(c, d)``, or either as a mapping {from, to}."""
    if isinstance(item, str):
        found = _BOTH_ENDS.fullmatch(item)
        ends = [found[1], found[4]] if found else []
    else:
        ends = [item["from"], item["to"]] if isinstance(item, dict) and set(item) == {"from", "to"} else []
    try:
        (table, columns), (ref, ref_columns) = map(_end, ends)
    except ValueError:
        document.fail(
            path,
            "a relation is written `schema.table.column -> schema.table.column`",
            "or `schema.table(column, column) -> schema.table(column, column)`",
        )
        return None
    if len(columns) != len(ref_columns):
        document.fail(path, "both ends of a relation need the same number of columns")
        return None
    return Relation(table, columns, ref, ref_columns, document.where(path))


def _end(text: Any) -> tuple[TableName, tuple[str, ...]]:
    """A table and its columns; the schema is empty where it is left out. Raises ValueError."""
    found = _ONE_END.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("no end of a relation")
    names = _names(found[1])
    columns = _names(found[2]) if found[2] else (names.pop(),)
    (schema, table) = names if len(names) == 2 else ("", *names)
    return TableName(schema, table), tuple(columns)


def _names(text: str) -> list[str]:
    found = [n.strip() for n in re.findall(_NAME, text)]
    return [n[1:-1].replace('""', '"') if n[0] == '"' else n for n in found]
