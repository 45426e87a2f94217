"""Random small databases full of foreign keys, and a slow, plain choice of a subset of their rows to compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any

from dbmask.keys import KeyRing
from dbmask_sql.canonical import canonicalizer, tuple_text
from dbmask_sql.kinds import Kind

__all__ = ["Made", "Ref", "Wanted", "World", "chosen", "ddl", "inserts", "policy", "wanted", "world"]

Row = dict[str, Any]


@dataclass
class Ref:
    """A foreign key; ``declared``: only the policy knows it."""

    columns: tuple[str, ...]
    parent: int
    ref_columns: tuple[str, ...]
    nullable: bool
    declared: bool = False


@dataclass
class Made:
    """A table: columns with whether they are integers and whether they may be NULL."""

    number: int
    columns: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    unique: bool = False
    refs: list[Ref] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def identity(self) -> tuple[str, ...]:
        """What its rows are told apart by; empty where nothing does."""
        return self.key or (("code",) if self.unique and not self.columns["code"][1] else ())


@dataclass
class World:
    """The tables, in the order of their numbers."""

    tables: list[Made]


@dataclass
class Wanted:
    """What a policy asks for, by table numbers. ``below``: `where:` leaves rows whose v is less."""

    share: Fraction | None = None
    shares: dict[int, Fraction] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    most: dict[int, int] = field(default_factory=dict)
    below: dict[int, int] = field(default_factory=dict)


def _table(random: Random, number: int) -> Made:
    made = Made(number)
    kind = random.choice(["id", "id", "pair", "none"])
    if kind == "id":
        made.columns["id"], made.key = (True, False), ("id",)
    elif kind == "pair":
        made.columns |= {"a": (True, False), "b": (False, False)}
        made.key = ("a", "b")
    made.columns["v"] = (True, False)
    if random.random() < 0.5:
        made.columns["code"], made.unique = (False, random.random() < 0.5), True
    for i in range(random.choice([1, 2, 5, 12, 30])):
        row: Row = {"id": i * 3 + 1, "a": i // 4, "b": f"b{i % 4}", "v": random.randrange(10), "code": f"c{i:03}"}
        if made.columns.get("code", (False, False))[1] and random.random() < 0.3:
            row["code"] = None
        made.rows.append({name: row[name] for name in made.columns})
    return made


def _refer(random: Random, child: Made, parent: Made, nullable: bool, declared: bool) -> None:
    targets = [t for t in (parent.key, ("code",) if parent.unique else ()) if t]
    if not targets:
        return
    ref_columns = random.choice(targets)
    there = [tuple(r[c] for c in ref_columns) for r in parent.rows if None not in [r[c] for c in ref_columns]]
    if not there:
        return
    columns = tuple(f"f{len(child.refs)}_{c}" for c in ref_columns)
    for name, ref in zip(columns, ref_columns, strict=True):
        child.columns[name] = (parent.columns[ref][0], nullable)
    for row in child.rows:
        values: list[Any] = list(random.choice(there))
        if nullable and random.random() < 0.3:
            values[random.randrange(len(values))] = None
        row.update(zip(columns, values, strict=True))
    child.refs.append(Ref(columns, parent.number, ref_columns, nullable, declared))


def world(random: Random, *, circles: bool = True, most_tables: int = 6) -> World:
    """A world; without ``circles`` tables refer to those before them alone, and not to themselves."""
    tables = [_table(random, i) for i in range(random.randrange(1, most_tables + 1))]
    for child in tables:
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            reach = len(tables) if circles else child.number
            if reach:
                parent = tables[random.randrange(reach)]
                _refer(random, child, parent, random.random() < 0.5, random.random() < 0.15)
    return World(tables)


def wanted(random: Random, made: World, *, keyless_most: bool = True) -> Wanted:
    """What might be asked of a world."""
    found = Wanted()
    mode = random.choice(["share", "most", "tables", "where"])
    if mode in ("share", "tables"):
        found.share = random.choice([Fraction(0), Fraction(1, 10), Fraction(1, 2), Fraction(1)])
    for table in made.tables:
        if mode == "tables" and random.random() < 0.4:
            found.shares[table.number] = random.choice([Fraction(1, 4), Fraction(3, 4)])
        if mode == "tables" and random.random() < 0.2:
            found.whole.add(table.number)
        if mode == "most" and (table.identity or keyless_most):
            found.most[table.number] = random.choice([0, 1, 3, 10])
        if mode == "where" or random.random() < 0.15:
            found.below[table.number] = random.randrange(3, 11)
    return found


# -- the plain choice ---------------------------------------------------------------------------------------------


class _Choice:
    def __init__(self, made: World, want: Wanted, keys: KeyRing) -> None:
        self.world, self.want, self.keys = made, want, keys
        self.parents: dict[tuple[int, int, int], int | None] = {}
        for t in made.tables:
            for i, ref in enumerate(t.refs):
                found = {tuple(r[c] for c in ref.ref_columns): n for n, r in enumerate(made.tables[ref.parent].rows)}
                for n, row in enumerate(t.rows):
                    values = tuple(row[c] for c in ref.columns)
                    self.parents[t.number, n, i] = None if None in values else found[values]
        self.reach = {t.number: self._reach(t.number) for t in made.tables}

    def _reach(self, start: int) -> set[int]:
        seen: set[int] = set()
        todo = [r.parent for r in self.world.tables[start].refs]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += [r.parent for r in self.world.tables[one].refs]
        return seen

    def allowed(self) -> dict[int, set[int]]:
        made = {
            t.number: {n for n, r in enumerate(t.rows) if r["v"] < self.want.below.get(t.number, 99)}
            for t in self.world.tables
        }
        while True:
            gone = [
                (t.number, n)
                for t in self.world.tables
                for n in made[t.number]
                for i, ref in enumerate(t.refs)
                if (p := self.parents[t.number, n, i]) is not None and p not in made[ref.parent]
            ]
            if not gone:
                return made
            for number, n in gone:
                made[number].discard(n)

    def sampled(self, table: Made, row: Row, share: Fraction) -> bool:
        names = table.identity or tuple(table.columns)
        texts = [
            None
            if row[c] is None
            else canonicalizer(Kind.INTEGER if table.columns[c][0] else Kind.TEXT)(row[c]).decode()
            for c in names
        ]
        return self.keys.column("dbmask subset").word(tuple_text(texts).encode()) < int(share * 2**60)

    def contributions(self, allowed: dict[int, set[int]]) -> dict[int, set[int]]:
        made: dict[int, set[int]] = {}
        partial: set[int] = set()
        left = [t.number for t in self.world.tables]
        while left:  # a table comes when all that it reaches outside its own circle has come
            ready = [n for n in left if all(p in made or n in self.reach[p] for p in self.reach[n])]
            for number in ready:
                made[number] = self._own(self.world.tables[number], allowed[number], made, partial)
                left.remove(number)
        return made

    def _own(self, table: Made, allowed: set[int], made: dict[int, set[int]], partial: set[int]) -> set[int]:
        want, number = self.want, table.number
        if number in want.whole:
            return set(allowed)
        share = want.shares.get(number, want.share)
        outer = [i for i, r in enumerate(table.refs) if number not in self.reach[r.parent] and r.parent != number]
        followed = [] if number in want.shares else [i for i in outer if table.refs[i].parent in partial]
        sizes = {i: len(self.world.tables[table.refs[i].parent].rows) for i in followed}
        followed.sort(key=lambda i: (-sizes[i], table.refs[i].parent, table.refs[i].columns))
        most = want.most.get(number)
        if share is None and not followed and most is None:
            return set(allowed)
        partial.add(number)
        found = set()
        for n in allowed:
            first = next((i for i in followed if self.parents[number, n, i] is not None), None)
            if first is not None:
                good = self.parents[number, n, first] in made[table.refs[first].parent]
            else:
                good = share is None or share == 1 or self.sampled(table, table.rows[n], share)
            if good:
                found.add(n)
        key = table.identity
        ordered = sorted(found, key=lambda n: tuple(table.rows[n][c] for c in key) if key else (n,))
        return set(ordered if most is None else ordered[:most])

    def completed(self, made: dict[int, set[int]]) -> dict[int, set[int]]:
        todo = [(number, n) for number, rows in made.items() for n in rows]
        while todo:
            number, n = todo.pop()
            for i, ref in enumerate(self.world.tables[number].refs):
                parent = self.parents[number, n, i]
                if parent is not None and parent not in made[ref.parent]:
                    made[ref.parent].add(parent)
                    todo.append((ref.parent, parent))
        return made


def chosen(made: World, want: Wanted, keys: KeyRing) -> dict[int, Counter[tuple[Any, ...]]]:
    """The rows that a subset holds, by table, in the order of its columns."""
    choice = _Choice(made, want, keys)
    rows = choice.completed(choice.contributions(choice.allowed()))
    return {t.number: Counter(tuple(t.rows[n][c] for c in t.columns) for n in rows[t.number]) for t in made.tables}


# -- the database and the policy ----------------------------------------------------------------------------------


def ddl(made: World, name: Callable[[int], str], *, later: bool) -> tuple[list[str], list[str]]:
    """CREATE TABLE, and ALTER TABLE for foreign keys where they come ``later``."""
    create, alter = [], []
    for t in made.tables:
        parts = [
            f"{c} {'INTEGER' if number else 'VARCHAR(12)'}{'' if null else ' NOT NULL'}"
            for c, (number, null) in t.columns.items()
        ]
        parts += [f"PRIMARY KEY ({', '.join(t.key)})"] if t.key else []
        parts += ["UNIQUE (code)"] if t.unique else []
        for ref in t.refs:
            if ref.declared:
                continue
            text = (
                f"FOREIGN KEY ({', '.join(ref.columns)}) REFERENCES {name(ref.parent)} ({', '.join(ref.ref_columns)})"
            )
            if later:
                alter.append(f"ALTER TABLE {name(t.number)} ADD {text}")
            else:
                parts.append(text)
        create.append(f"CREATE TABLE {name(t.number)} ({', '.join(parts)})")
    return create, alter


def inserts(made: World, name: Callable[[int], str]) -> Iterable[str]:
    """INSERT statements for every row."""
    for t in made.tables:
        for row in t.rows:
            values = [
                "NULL" if (v := row[c]) is None else f"'{v}'" if isinstance(v, str) else str(v) for c in t.columns
            ]
            yield f"INSERT INTO {name(t.number)} ({', '.join(t.columns)}) VALUES ({', '.join(values)})"


def policy(made: World, want: Wanted, name: Callable[[int], str]) -> dict[str, Any]:
    """A policy that keeps everything and asks for this."""
    tables: dict[str, Any] = {}
    for t in made.tables:
        rule: dict[str, Any] = {"mode": "keep"}
        if t.number in want.below:
            rule["where"] = f"v < {want.below[t.number]}"
        if t.number in want.most:
            rule["max_rows"] = want.most[t.number]
        tables[name(t.number)] = rule
    relations = [
        f"{name(t.number)}{_list(r.columns)} -> {name(r.parent)}{_list(r.ref_columns)}"
        for t in made.tables
        for r in t.refs
        if r.declared
    ]
    found: dict[str, Any] = {"version": 1, "tables": tables, "relations": relations}
    if want.share is not None:
        found["subset"] = {
            "share": f"{float(want.share * 100):g}%",
            "tables": {name(n): float(s) for n, s in want.shares.items()},
            "whole": [name(n) for n in want.whole],
        }
    return found


def _list(columns: tuple[str, ...]) -> str:
    return f".{columns[0]}" if len(columns) == 1 else f"({', '.join(columns)})"
