"""A source that SQLAlchemy reflects: the default schema's tables, columns and keys, read within one transaction."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError
from dbmask.schema import Column, ForeignKey, Index, Schema, Table, TableName, Unique, View
from dbmask.spi import Capabilities, Reader, Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._generic_identity import identity, position
from dbmask_connectors._generic_session import GenericReader, opened, said, snapshot, translated
from dbmask_connectors._generic_types import column_type
from dbmask_sql.dialects import generic

if TYPE_CHECKING:
    from sqlalchemy import Engine, Inspector

__all__ = ["GenericSource", "read_schema"]

_UNSEEN = "triggers, checks, comments and other schemas: this connector does not see them"


class GenericSource:
    """An open source."""

    def __init__(self, of: Engine, capabilities: Capabilities) -> None:
        self.engine, self._capabilities = of, capabilities
        if of.dialect.name == "sqlite" and not Path(of.url.database or "").is_file():
            raise ConnectorError(f"{said(of)}: there is no such file")

    @property
    def capabilities(self) -> Capabilities:
        """What all databases can do."""
        return self._capabilities

    def identity(self) -> str:
        """The file, or the server and the database in it."""
        return identity(self.engine)

    def schema(self) -> Schema:
        """The structure, reflected anew. Raises ConnectorError."""
        return read_schema(self.engine)

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        """For each table that cannot be read, that it cannot."""
        from sqlglot import exp

        refused = {}
        with opened(self.engine, reading=True) as connection:
            reader = GenericReader(connection, said(self.engine), {})
            for name in tables:
                query = exp.select("1").from_(exp.table_(name.name, db=name.schema, quoted=True)).where("1 = 0")
                try:
                    list(reader.read(query))
                except ConnectorError:
                    refused[name] = "it cannot be read"
        return refused

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        """The target makes its own; what stands in defaults and generated columns is told, so that its literals are looked at."""
        told = [definition for target in tables if (definition := _definition(target))]
        return Structure(self._capabilities.dialect, schema, tuple(tables), pre=tuple(told), left_out=(_UNSEEN,))

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """One transaction."""
        types = {t.name: {c.name: c.type for c in t.columns} for t in self.schema().tables.values()}
        with snapshot(self.engine) as connection:
            yield GenericReader(connection, said(self.engine), types, position=position(self.engine))

    def close(self) -> None:
        """Give connections back."""
        self.engine.dispose()


def _definition(target: TargetTable) -> str:
    """The defaults and expressions of a table's columns, in the words of its database; empty where there are none."""
    name = ".".join(quoted(part) for part in (target.name.schema, target.name.name) if part)
    parts = []
    for column in target.table.columns:
        if column.name not in target.dropped and column.generated is not None:
            parts.append(f"{quoted(column.name)} AS ({column.generated})")
        elif column.name not in target.dropped and column.default is not None:
            parts.append(f"{quoted(column.name)} DEFAULT {column.default}")
    return f"CREATE TABLE {name} ({', '.join(parts)})" if parts else ""


def read_schema(of: Engine) -> Schema:
    """The default schema. Raises ConnectorError."""
    from sqlalchemy import exc, inspect

    with translated(said(of)), opened(of, reading=True) as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", exc.SAWarning)  # types that SQLAlchemy has no name for
        seen = inspect(connection)
        space = seen.default_schema_name or "main"
        tables = [_table(seen, space, name) for name in seen.get_table_names()]
        views = tuple(View(TableName(space, name)) for name in seen.get_view_names())
    version = ".".join(map(str, getattr(connection.dialect, "server_version_info", None) or ()))
    return Schema(
        generic.DIALECT.name, {t.name: t for t in tables}, views, (), space, f"{of.dialect.name} {version}".strip()
    )


def _table(seen: Inspector, space: str, name: str) -> Table:
    key = seen.get_pk_constraint(name)
    primary = tuple(key.get("constrained_columns") or ())
    described = seen.get_columns(name)
    listed = [str(c["name"]) for c in described]
    uniques = [Unique(key.get("name") or "primary key", primary, primary=True)] if primary else []
    for unique in seen.get_unique_constraints(name):
        uniques.append(Unique(unique["name"] or "unique", tuple(unique["column_names"])))
    indexes = []
    for index in seen.get_indexes(name):
        columns = tuple(c for c in index["column_names"] if c)
        whole = len(columns) == len(index["column_names"])
        partial = any(o.endswith("_where") for o in index.get("dialect_options", {}))
        if index["unique"] and whole and columns not in {u.columns for u in uniques}:
            uniques.append(Unique(index["name"] or "unique", columns, partial=partial))
        plain = whole and not partial and not index.get("dialect_options", {}).get("mysql_prefix")
        indexes.append(Index(index["name"] or "", columns if plain else (), bool(index["unique"])))
    return Table(
        TableName(space, name),
        tuple(_column(seen.dialect.name, dict(c), listed, primary) for c in described),
        uniques=tuple(uniques),
        foreign_keys=tuple(_foreign_keys(seen, space, name)),
        indexes=tuple(indexes),
    )


def _column(dialect: str, said_: dict[str, Any], listed: Sequence[str], primary: Sequence[str]) -> Column:
    name, type_ = str(said_["name"]), column_type(said_["type"], dialect)
    generated = str(said_["computed"]["sqltext"]) if said_.get("computed") else None
    words = set(re.findall(r"\w+", generated or ""))
    numbered = said_.get("identity") or said_.get("autoincrement") is True
    numbered = numbered or (dialect == "sqlite" and (name,) == tuple(primary) and type_.sql == "integer")
    default = None if said_.get("default") in (None, "NULL") else str(said_["default"])
    return Column(
        name,
        type_,
        nullable=bool(said_.get("nullable", True)) and name not in primary,
        default=None if generated or numbered else default,
        generated=generated,
        generated_from=tuple(c for c in listed if c in words and c != name) if generated else (),
        identity="auto" if numbered else None,
    )


def _foreign_keys(seen: Inspector, space: str, name: str) -> Iterator[ForeignKey]:
    for key in seen.get_foreign_keys(name):
        columns = tuple(key["constrained_columns"])
        other = TableName(key["referred_schema"] or space, key["referred_table"])
        referred = tuple(key["referred_columns"])
        if not referred and other.schema == space:
            referred = tuple(seen.get_pk_constraint(other.name).get("constrained_columns") or ())
        if len(referred) == len(columns):
            yield ForeignKey(key["name"] or "+".join(columns), columns, other, referred)
