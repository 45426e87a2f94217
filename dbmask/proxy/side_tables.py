"""Side tables: what masks make that run in Python, kept beside the source where only the views' owner can read it.

A row holds the source row's primary key, and for each such mask a keyed fingerprint of the raw values it was made of
and the masked values. A view shows them while the fingerprint is that of the current raw values, else a placeholder: a
change in the source never shows an old row's text, and never the raw one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbmask.keys import ColumnKey, KeyRing
from dbmask.planner import Plan, TablePlan, Unit
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.policy.model import Policy, TableMode
from dbmask.policy.names import is_pattern, table_glob
from dbmask.proxy.names import short_name
from dbmask.schema import Column, Kind, Schema, TableKind, TableName

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["ALIAS", "KEY", "SideTable", "fingerprint_key", "in_view", "leftover_of", "root_of", "side_tables"]

ALIAS = "dbmask_side"
KEY = "/side-tables"
"""The fingerprints' key among the secrets: no domain's key is called so, since a domain's own slashes are doubled."""


def fingerprint_key(keys: KeyRing) -> ColumnKey:
    """The key of the fingerprints, derived under its own label. Raises KeySourceError where the run has no key."""
    return ColumnKey(KEY, keys.master.derive("side-table fingerprints"))


def in_view(unit: Unit) -> bool:
    """Whether a mask's expressions may stand in a view: an expression that could raise could say a value in its error."""
    return unit.exprs is not None and all(unit.promises(name).total for name in unit.bound.outputs)


def leftover_of(policy: Policy, name: TableName, default_schema: str) -> str:
    """What the policy wants shown of a table's columns that are masked in Python: "materialize" or "placeholder"."""
    exact = [r for r in policy.tables if not is_pattern(r.name) and TableName.parse(r.name, default_schema) == name]
    rules = exact or [r for r in policy.tables if is_pattern(r.name) and table_glob(r.name, default_schema)(name)]
    return str(rules[0].options.get("leftover", "materialize")) if rules else "materialize"


@dataclass(frozen=True)
class SideTable:
    """The side table of one table. ``units`` are its masks that are left to Python, in the plan's order."""

    name: str
    plan: TablePlan
    key: tuple[Column, ...]
    units: tuple[Unit, ...]
    digest: str

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Names and types: the key, then for each mask its fingerprint and its values."""
        made = [(f"dbmask_k{i}", c.type.sql) for i, c in enumerate(self.key)]
        for i, unit in enumerate(self.units):
            made.append((f"dbmask_f{i}", "text"))
            made += [(f"dbmask_v{i}_{j}", self._type(name)) for j, name in enumerate(unit.bound.outputs)]
        return tuple(made)

    def _type(self, output: str) -> str:
        return next(c.column.type.sql or "text" for c in self.plan.columns if c.column.name == output)

    def joined(self, query: exp.Select) -> exp.Select:
        """A query over the source table with the side table's row beside each row, where there is one."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import column

        table = exp.Table(
            this=exp.to_identifier(self.name, quoted=True),
            db=exp.to_identifier("dbmask"),
            alias=exp.TableAlias(this=exp.to_identifier(ALIAS)),
        )
        pairs = [
            exp.EQ(this=column(f"dbmask_k{i}", ALIAS), expression=column(c.name, SOURCE_ALIAS))
            for i, c in enumerate(self.key)
        ]
        return query.join(table, on=exp.and_(*pairs), join_type="left")

    def value(self, unit: Unit, output: str, otherwise: exp.Expression) -> exp.Expression:
        """The masked value of the current raw one, or ``otherwise``."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import column

        i, j = self.units.index(unit), unit.bound.outputs.index(output)
        same = exp.EQ(this=column(f"dbmask_f{i}", ALIAS), expression=self.fingerprint(unit))
        return exp.Case(ifs=[exp.If(this=same, true=column(f"dbmask_v{i}_{j}", ALIAS))], default=otherwise)

    def fingerprint(self, unit: Unit) -> exp.Expression:
        """The keyed fingerprint of a mask's raw inputs, its key a KeyRef: each input's text with its length before it."""
        from dbmask_sql.dialects import dialect

        made = dialect("postgres")
        parts = [_framed(made, _input(self.plan, name)) for name in unit.bound.inputs]
        return made.prf_hex(made.concat(*parts), KEY)


def side_tables(policy: Policy, plan: Plan, role: str, keys: KeyRing) -> dict[TableName, SideTable]:
    """The side tables that a plan needs, by table; partitions share their table's. Tables without a primary key have none."""
    found: dict[TableName, SideTable] = {}
    for name, table in plan.tables.items():
        root = root_of(plan.schema, name)
        if table.mode is not TableMode.MASK or leftover_of(policy, root, plan.schema.default_schema) != "materialize":
            continue
        units = tuple(u for u in table.units if not in_view(u))
        leader = plan.tables[root]
        key = tuple(c for n in leader.table.primary_key if (c := table.table.column(n)) is not None)
        if units and key:
            found[name] = _side(plan.tables[root], table, role, key, units, keys)
    return found


def _side(
    root: TablePlan, table: TablePlan, role: str, key: tuple[Column, ...], units: tuple[Unit, ...], keys: KeyRing
) -> SideTable:
    what = {
        "units": [[repr(u.mask), u.bound.inputs, u.bound.outputs] for u in root.units if not in_view(u)],
        "key": [[n, str(c.type)] for n in root.table.primary_key if (c := root.table.column(n)) is not None],
        "types": [[c.column.name, str(c.column.type)] for c in root.columns],
        "keys": [keys.fingerprint(), keys.epoch],
    }
    digest = hashlib.sha256(json.dumps(what, default=str).encode()).hexdigest()
    return SideTable(short_name("side", role, root.name.schema, root.name.name), table, key, units, digest)


def root_of(schema: Schema, name: TableName) -> TableName:
    """The partitioned table at the top, where a table is a partition; else the table itself."""
    while schema.tables[name].kind is TableKind.PARTITION and schema.tables[name].parents:
        name = schema.tables[name].parents[0]
    return name


def _input(plan: TablePlan, name: str) -> tuple[exp.Expression, Column]:
    from dbmask_sql.dialects.base import column

    found = plan.table.column(name)
    if found is None:
        raise AssertionError(f"{plan.name} has no column {name}")
    return column(name, SOURCE_ALIAS), found


def _framed(dialect: Dialect, given: tuple[exp.Expression, Column]) -> exp.Expression:
    """An input as text that no setting of the session changes, its length before it; "-" for NULL."""
    from dbmask_sql.dialects.base import call, cast, text

    text_ = _written(dialect, *given)
    length = cast(dialect.length(text_.copy()), "TEXT", dialect.name)
    return call("COALESCE", dialect.concat(length, text(":"), text_), text("-"))


def _written(dialect: Dialect, value: exp.Expression, column: Column) -> exp.Expression:
    from dbmask_sql.dialects.base import call, cast, text

    kind = column.type.kind
    if kind is Kind.BYTES:
        return call("ENCODE", value, text("hex"))
    if kind is Kind.FLOAT:
        return call("ENCODE", call("FLOAT8SEND", cast(value, "DOUBLE PRECISION", "postgres")), text("hex"))
    made = dialect.canonical(value, kind, column.type.padded)
    if made is not None:
        return made
    return cast(call("TO_JSONB", value) if kind is Kind.ARRAY else value, "TEXT", "postgres")
