"""Keys of rows in a session's temporary tables.

INSERT ... SELECT would read rows as they are now, and lock them: only a plain SELECT sees the snapshot. So keys come to
the client and go back by LOAD DATA LOCAL, which no statement log records.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.spi import Held
from dbmask_connectors._mysql_load import Dest, Loader, load_sql
from dbmask_connectors._mysql_relay import FORM, line_query
from dbmask_connectors._mysql_session import Session, quoted

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["extend", "hold"]


def hold(session: Session, query: exp.Select) -> Held:
    """A temporary table of a query's rows; its keys are resolved already. Raises ConnectorError."""
    from sqlglot import exp

    name = f"dbmask_held_{secrets.token_hex(6)}"
    session.run(f"CREATE TEMPORARY TABLE {quoted(name)} {query.limit(0).sql(dialect='mysql')}")
    dests = [
        Dest(column, type_.partition("(")[0].partition(" ")[0], (collation or "").partition("_")[0])
        for column, type_, collation, *_ in session.run(f"SHOW FULL COLUMNS FROM {quoted(name)}")
    ]
    raw = [isinstance(p.unalias(), exp.Column) and d.in_bytes for p, d in zip(query.expressions, dests, strict=True)]
    found: list[tuple[int, bytes]] = []
    with session.streaming(line_query(query, dests, raw).sql(dialect="mysql")) as stream:
        for count, lines in stream.lines():
            if lines is None:
                raise ConnectorError(f"{session.where}: a key is too long to be held")
            found.append((count, lines))
    loader = Loader(session, load_sql(name, dests, raw, FORM), f"{session.where}: keys")
    for count, lines in found:
        loader.write(lines, count)
    rows = loader.finish()
    _index(session, name)
    return Held(exp.table_(name, quoted=True), rows)


def _index(session: Session, name: str) -> None:
    listed = ", ".join(quoted(column) for column, *_ in session.run(f"SHOW COLUMNS FROM {quoted(name)}"))
    try:
        session.run(f"ALTER TABLE {quoted(name)} ADD KEY ({listed})")
    except ConnectorError:
        return  # too wide for an index: joins hash it


def extend(session: Session, held: Held, more: Held) -> Held:
    """Add one set to another. Raises ConnectorError."""
    session.run(f"INSERT INTO {held.relation.sql('mysql')} SELECT * FROM {more.relation.sql('mysql')}")  # noqa: S608 - names are our own
    return Held(held.relation, held.rows + more.rows)
