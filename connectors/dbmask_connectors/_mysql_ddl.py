"""SHOW CREATE TABLE taken apart, and put together again without what the policy leaves out.

What stays, stays as the server wrote it, word for word. Secondary indexes and foreign keys come after the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from dbmask.errors import ConnectorError
from dbmask.schema import ColumnType, TableName
from dbmask.spi import TargetTable
from dbmask_connectors._mysql_session import quoted
from dbmask_connectors._mysql_tokens import columns_in, tokens, unquote
from dbmask_connectors._tokens import Token

__all__ = ["CutTable", "Item", "cut_table", "parse_items"]

_LABELS = {
    "primary": "primary key",
    "unique": "unique key",
    "key": "index",
    "fulltext": "fulltext index",
    "spatial": "spatial index",
    "foreign": "foreign key",
    "check": "check",
    "period": "period",
}
_KINDS = {"PRIMARY": "primary", "UNIQUE": "unique", "KEY": "key", "FULLTEXT": "fulltext", "SPATIAL": "spatial"}
_AFTER_TYPE = frozenset(
    {
        *("NOT", "NULL", "DEFAULT", "COMMENT", "AUTO_INCREMENT", "GENERATED", "AS", "CHECK", "INVISIBLE", "ON", "WITH"),
        *(
            "WITHOUT",
            "REF_SYSTEM_ID",
            "COMPRESSED",
            "CHARACTER",
            "CHARSET",
            "COLLATE",
            "VIRTUAL",
            "PERSISTENT",
            "STORED",
        ),
    }
)


@dataclass(frozen=True)
class Item:
    """One entry of a CREATE TABLE: its kind, text, name, and the columns that it stands on; ``ref`` for foreign keys."""

    kind: str
    text: str
    name: str = ""
    columns: tuple[str, ...] = ()
    ref: TableName | None = None
    ref_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class CutTable:
    """The statement that makes a table before its rows, and what is added after them."""

    create: str
    keys: tuple[str, ...]
    foreign_keys: tuple[tuple[str, str], ...]


def parse_items(sql: str) -> tuple[str, list[Item], str]:
    """The text up to the opening parenthesis, the entries, the options behind the closing one. Raises ValueError."""
    found = list(tokens(sql))
    opening = next((i for i, t in enumerate(found) if t.text == "("), None)
    if opening is None:
        raise ValueError("no entries")
    closing = next((i for i in range(opening + 1, len(found)) if found[i].text == ")" and found[i].depth == 0), None)
    if closing is None:
        raise ValueError("no end")
    items = []
    entry: list[Token] = []
    for token in found[opening + 1 : closing + 1]:
        if token.depth == 0 or (token.depth == 1 and token.text == ","):
            if not entry:
                raise ValueError("an empty entry")
            items.append(_item(sql, entry))
            entry = []
        else:
            entry.append(token)
    return sql[: found[opening].end], items, sql[found[closing].end :]


def _item(sql: str, entry: list[Token]) -> Item:
    text = sql[entry[0].start : entry[-1].end]
    first = entry[0]
    if first.kind == "quoted":
        return Item("column", text, unquote(first.text))
    name = ""
    at = 0
    if first.word == "CONSTRAINT":
        name, at = unquote(entry[1].text), 2
    word = entry[at].word
    if word == "FOREIGN":
        return _foreign(text, name, entry)
    if word == "CHECK":
        return Item("check", text, name)
    if word == "PERIOD":
        return Item("period", text)
    if word not in _KINDS:
        raise ValueError("an unknown entry")
    kind = _KINDS[word]
    names = [t for t in entry if t.depth == 1 and t.kind == "quoted"]
    return Item(kind, text, unquote(names[0].text) if names else "", _listed(entry, 1))


def _listed(entry: list[Token], group: int) -> tuple[str, ...]:
    """The quoted names in the ``group``-th pair of parentheses of an entry."""
    seen = 0
    found = []
    for token in entry:
        if token.text == "(" and token.depth == 1:
            seen += 1
        elif seen == group and token.depth > 1 and token.kind == "quoted":
            found.append(unquote(token.text))
        elif token.text == ")" and token.depth == 1 and seen == group:
            break
    return tuple(found)


def _foreign(text: str, name: str, entry: list[Token]) -> Item:
    at = next(i for i, t in enumerate(entry) if t.word == "REFERENCES") + 1
    schema, table = "", unquote(entry[at].text)
    if entry[at + 1].text == ".":
        schema, table = table, unquote(entry[at + 2].text)
    return Item("foreign", text, name, _listed(entry, 1), TableName(schema, table), _listed(entry, 2))


def cut_table(
    sql: str,
    target: TargetTable,
    present: Container[TableName],
    dropped: Callable[[TableName], Container[str]],
    declared: Callable[[ColumnType], str],
    left_out: list[str],
) -> CutTable:
    """The DDL of one table; ``present`` are the replica's tables, ``dropped`` tells the columns that each loses.

    What has to go is added to ``left_out``. Raises ConnectorError where the statement cannot be read.
    """
    try:
        head, items, tail = parse_items(sql)
    except (ValueError, IndexError, StopIteration):
        raise ConnectorError(f"{target.name}: its CREATE TABLE statement could not be read") from None
    return _Cut(target, items, left_out).made(head, tail, present, dropped, declared)


class _Cut:
    def __init__(self, target: TargetTable, items: list[Item], left_out: list[str]) -> None:
        self.target, self.items, self.left_out = target, items, left_out
        self.gone = frozenset(c.lower() for c in target.dropped)
        self.retyped = frozenset(_retyped(target))

    def made(
        self,
        head: str,
        tail: str,
        present: Container[TableName],
        dropped: Callable[[TableName], Container[str]],
        declared: Callable[[ColumnType], str],
    ) -> CutTable:
        early, keys, foreign = [], [], []
        late = self._may_come_late(tail)
        for item in self.items:
            if item.kind == "column":
                if item.name.lower() not in self.gone:
                    early.append(self._column(item, declared))
            elif item.kind == "foreign":
                if self._stands(item) and self._refers(item, present, dropped):
                    foreign.append((item.name, f"ADD {item.text}"))
            elif self._stands(item):
                if late(item):
                    keys.append(f"ADD {item.text}")
                else:
                    early.append(item.text)
        if not early:
            raise ConnectorError(f"{self.target.name}: a table cannot stand without columns")
        early += self._added(declared)
        create = head + "\n  " + ",\n  ".join(early) + "\n)" + self._options(tail)
        return CutTable(create, tuple(keys), tuple(foreign))

    def _may_come_late(self, tail: str) -> Callable[[Item], bool]:
        """Which entries may be added when the rows are there.

        AUTO_INCREMENT needs its key at once, a table without a primary key takes a unique one in its place, and a table
        that keeps its history is not altered.
        """
        auto = next((c.name for c in self.target.table.columns if c.identity == "auto"), None)
        primary = self.target.table.primary_key
        versioned = any(t.word == "SYSTEM" for t in tokens(tail)) or any(i.kind == "period" for i in self.items)

        def late(item: Item) -> bool:
            if versioned or item.kind not in ("unique", "key", "fulltext", "spatial"):
                return False
            if auto is not None and auto in item.columns and primary[:1] != (auto,):
                return False
            return bool(primary) or item.kind != "unique"

        return late

    def _stands(self, item: Item) -> bool:
        """Whether nothing that the entry needs is dropped; if not, that is noted."""
        names = item.columns or columns_in(item.text, [c.name for c in self.target.table.columns])
        lost = [c for c in names if c.lower() in self.gone]
        if lost:
            self._note(item, f"column {lost[0]} is dropped")
        return not lost

    def _refers(
        self, item: Item, present: Container[TableName], dropped: Callable[[TableName], Container[str]]
    ) -> bool:
        ref = item.ref
        if ref is None:
            return False
        if ref.schema and ref.schema != self.target.name.schema:
            self._note(item, f"it refers to {ref}, in another database, which is none of the replica's")
            return False
        parent = TableName(self.target.name.schema, ref.name)
        if parent not in present:
            self._note(item, f"table {parent} is not in the replica")
            return False
        lost = [c for c in item.ref_columns if c in dropped(parent)]
        if lost:
            self._note(item, f"column {lost[0]} of {parent} is dropped")
        return not lost

    def _note(self, item: Item, why: str) -> None:
        name = f" {item.name}" if item.name else ""
        self.left_out.append(f"{_LABELS[item.kind]}{name} of {self.target.name}: {why}")

    def _column(self, item: Item, declared: Callable[[ColumnType], str]) -> str:
        text = item.text
        if item.name in self.retyped:
            text = _with_type(text, _retyped(self.target)[item.name], declared)
        own = columns_in(_check_of(text), [*self.target.dropped])
        if item.name in self.retyped or own:
            text = self._without_check(item, text)
        return text

    def _without_check(self, item: Item, text: str) -> str:
        """Without the column's own CHECK, which holds for what the column was."""
        found = _check_of(text)
        if found:
            self.left_out.append(f"check of {self.target.name}.{item.name}: the column is not what it was")
            text = text.replace(found, "", 1).rstrip()
        return text

    def _added(self, declared: Callable[[ColumnType], str]) -> list[str]:
        """Columns that masks add to the table."""
        known = {c.name for c in self.target.table.columns}
        fresh = [c for c in self.target.columns if c not in known]
        types = self.target.types
        return [f"{quoted(c)} {declared(types[c]) if c in types else 'longtext'}" for c in fresh]

    def _options(self, tail: str) -> str:
        """The table's options without places on the disk and the next AUTO_INCREMENT; partitions only where their columns are."""
        cuts: list[tuple[int, int]] = []
        found = list(tokens(tail))
        for i, token in enumerate(found):
            if token.depth:
                continue
            if token.word in ("AUTO_INCREMENT", "DIRECTORY") and i + 2 < len(found) and found[i + 1].text == "=":
                start = found[i - 1].start if token.word == "DIRECTORY" else token.start
                cuts.append((start, found[i + 2].end))
            elif token.word == "PARTITION" and i + 1 < len(found) and found[i + 1].word == "BY":
                lost = columns_in(tail[token.start :], self.target.dropped)
                if lost:
                    self.left_out.append(f"partitions of {self.target.name}: column {lost[0]} is dropped")
                    cuts.append((token.start, len(tail)))
                break
        for start, end in reversed(cuts):
            tail = tail[:start] + tail[end:]
        return tail.rstrip().removesuffix("/*!50100").rstrip()


def _retyped(target: TargetTable) -> dict[str, ColumnType]:
    """The columns whose mask makes another kind of value than they hold."""
    found = {}
    for column in target.table.columns:
        made = target.types.get(column.name)
        if made is not None and (made.kind, made.sql) != (column.type.kind, column.type.sql):
            found[column.name] = made
    return found


def _with_type(text: str, type_: ColumnType, declared: Callable[[ColumnType], str]) -> str:
    """A column's entry with another type; its character set stays where the new type is a text too."""
    found = list(tokens(text))
    at = next((i for i in range(1, len(found)) if found[i].word in _AFTER_TYPE and found[i].depth == 0), len(found))
    end = found[at - 1].end
    made = declared(type_)
    while at < len(found) and found[at].word in ("CHARACTER", "CHARSET", "COLLATE"):
        at += 3 if found[at].word == "CHARACTER" else 2
        if "char" not in made and "text" not in made:
            end = found[at - 1].end
    return text[: found[0].end] + " " + made + text[end:]


def _check_of(text: str) -> str:
    """The CHECK of a column's own entry; empty where there is none."""
    found = list(tokens(text))
    for i, token in enumerate(found):
        if token.word == "CHECK" and token.depth == 0:
            closing = next((t for t in found[i + 1 :] if t.text == ")" and t.depth == 0), None)
            return text[token.start : closing.end] if closing else ""
    return ""
