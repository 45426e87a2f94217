"""CREATE TABLE statements cut where the policy leaves columns or tables out, or where a mask makes another type.

Constraints that cannot stand without what is gone go with it, and are noted.
"""

from __future__ import annotations

from collections.abc import Callable

from dbmask.errors import ConnectorError
from dbmask.schema import ColumnType
from dbmask.spi import TargetTable
from dbmask_connectors._ddl_parse import Clause, TableDef, names_in, parse_table, quoted

__all__ = ["cut_table"]

Declared = Callable[[ColumnType], str]


def cut_table(
    sql: str, target: TargetTable, wanted: set[str], declared: Declared, left_out: list[str], brackets: bool = True
) -> str:
    """The statement of one table; ``wanted`` are the tables of its schema in the replica, ``declared`` writes a type.

    What had to go is added to ``left_out``. Raises ConnectorError where the statement cannot be read.
    """
    present = {name.lower() for name in wanted}
    parsed = parse_table(sql, brackets)
    dangling = parsed is not None and any(c.ref_table.lower() not in present for c, _ in parsed.foreign_keys)
    if not (target.dropped or _retyped(target, declared) or dangling):
        return sql
    if parsed is None:
        raise ConnectorError(
            f"{target.name}: its CREATE TABLE statement could not be read, so nothing can be left out of it"
        )
    return _Cut(parsed, target, present, left_out).text(_retyped(target, declared))


def _retyped(target: TargetTable, declared: Declared) -> dict[str, str]:
    """The declared type of each column whose mask makes another kind of value than it holds."""
    found = {}
    for column in target.table.columns:
        made = target.types.get(column.name)
        if made is not None and (made.kind, made.sql) != (column.type.kind, column.type.sql):
            found[column.name] = made.sql if made.sql and made.sql != column.type.sql else declared(made)
    return found


class _Cut:
    """A CREATE TABLE statement with parts taken out or replaced."""

    def __init__(self, parsed: TableDef, target: TargetTable, present: set[str], left_out: list[str]) -> None:
        self.parsed, self.target, self.present, self.left_out = parsed, target, present, left_out
        self.edits: list[tuple[int, int, str]] = []
        self.gone = {name.lower() for name in target.dropped}
        self._drop_generated()

    def _drop_generated(self) -> None:
        """A generated column goes with any of those that it is made of."""
        before = -1
        while before != len(self.gone):
            before = len(self.gone)
            for column in self.parsed.columns:
                clause = column.clause("GENERATED") or column.clause("AS")
                lost = [n for n in self._named(clause) if n.lower() in self.gone] if clause else []
                if lost and column.name.lower() not in self.gone:
                    self.gone.add(column.name.lower())
                    self.left_out.append(
                        f"generated column {quoted(column.name)} of {self.target.name}: column {lost[0]} is dropped"
                    )

    def text(self, retyped: dict[str, str]) -> str:
        kept = []
        for column in self.parsed.columns:
            if column.name.lower() in self.gone:
                continue
            kept.append(column)
            for clause in column.clauses:
                if self._loses(clause, (column.name,)):
                    self.edits.append((clause.start, clause.end, ""))
        for name, type_ in retyped.items():
            found = self.parsed.column(name)
            if found is not None:
                spaced = f" {type_}" if found.type_start == found.type_end else type_
                self.edits.append((found.type_start, found.type_end, spaced))
        parts = [self._edited(c.start, c.end) for c in kept]
        parts += [
            self.parsed.sql[c.start : c.end]
            for c in self.parsed.constraints
            if not self._loses(c, c.columns or self._named(c))
        ]
        if not kept:
            raise ConnectorError(f"{self.target.name}: a table cannot stand without columns")
        first = self.parsed.columns[0].start
        last = max([c.end for c in self.parsed.columns] + [c.end for c in self.parsed.constraints])
        return self.parsed.sql[:first] + ",\n  ".join(parts) + self.parsed.sql[last:]

    def _named(self, clause: Clause) -> tuple[str, ...]:
        return names_in(clause.body, tuple(c.name for c in self.parsed.columns), self.parsed.brackets)

    def _loses(self, clause: Clause, columns: tuple[str, ...]) -> bool:
        """Whether a constraint has to go; if so, it is noted."""
        lost = [c for c in (*columns, *self._named(clause)) if c.lower() in self.gone]
        if lost and clause.kind in ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            self._note(clause, f"column {lost[0]} is dropped")
            return True
        if clause.ref_table and clause.ref_table.lower() not in self.present:
            self._note(clause, f"table {clause.ref_table} is not in the replica")
            return True
        return False

    def _note(self, clause: Clause, why: str) -> None:
        words = {"PRIMARY": "primary key", "UNIQUE": "unique constraint", "CHECK": "check"}
        label = words.get(clause.kind, "foreign key")
        name = f" {clause.name}" if clause.name else ""
        self.left_out.append(f"{label}{name} of {self.target.name}: {why}")

    def _edited(self, start: int, end: int) -> str:
        text = ""
        at = start
        for first, last, new in sorted(e for e in self.edits if start <= e[0] and e[1] <= end):
            text += self.parsed.sql[at:first] + new
            at = last
        return text + self.parsed.sql[at:end]
