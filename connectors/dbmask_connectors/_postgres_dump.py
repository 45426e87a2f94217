"""The structure of a database through pg_dump, cut into its entries, so that each can be run when its time comes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask_connectors._postgres_session import Address

__all__ = ["Entry", "dump", "entries"]

_SECTIONS = ("pre-data", "post-data")
# Comments that stand outside of every literal, name and body: only these can be headers of entries.
_LEXER = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | /\*.*?\*/
    | (?<![A-Za-z0-9_$])[Ee]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![A-Za-z0-9_$])\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?P=tag)\$
    | (?<![A-Za-z0-9_$])\$\$.*?\$\$
    """,
    re.X | re.S,
)
_TOC = re.compile(r"-- TOC entry (\d+) \(class (\d+) OID (\d+)\)")
_NAME = re.compile(r"-- Name: (.*); Type: ([A-Z][A-Z -]*); Schema: (.*); Owner: .*")
# What pg_dump writes between entries: settings of storage that the replica's server may not have, psql's commands.
_BETWEEN = re.compile(
    r"(?:^|\n)(?:\\(?:un)?restrict [^\n]*|SET default_(?:tablespace|table_access_method) = [^\n]*;)\Z"
)


@dataclass(frozen=True)
class Entry:
    """One entry of a dump: its SQL, what pg_dump calls it, and which object of the catalogs it makes.

    ``number`` is its own in the dump; ``catalog`` and ``oid`` are 0 where it makes no object (comments, grants), and
    ``needs`` the numbers of the entries that such a one hangs on.
    """

    kind: str
    schema: str
    name: str
    sql: str
    number: int = 0
    catalog: int = 0
    oid: int = 0
    needs: tuple[int, ...] = ()

    def packed(self) -> str:
        """What a Structure carries: kind, schema, name and SQL."""
        return "\0".join((self.kind, self.schema, self.name, self.sql))

    @classmethod
    def unpacked(cls, text: str) -> Entry:
        """The entry that a Structure carries."""
        kind, schema, name, sql = text.split("\0", 3)
        return cls(kind, schema, name, sql)

    def __str__(self) -> str:
        where = f" in schema {self.schema}" if self.schema not in ("", "-") else ""
        return f"{self.kind.lower()} {self.name}{where}"


def _program(version: int) -> str:
    """The newest pg_dump here. Raises UsageError where there is none, or none as new as the server."""
    found = [str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), key=_major)]
    on_path = shutil.which("pg_dump")
    seen = 0
    for program in [*reversed(found), *([on_path] if on_path else [])]:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        major = re.search(r"(\d+)", shown)
        seen = max(seen, int(major[1]) if major else 0)
        if major and int(major[1]) >= version:
            return program
    have = f"the one here is version {seen}" if seen else "there is none here"
    raise UsageError(
        f"cloning from PostgreSQL {version} needs its pg_dump, version {version} or later; {have}: "
        f"install the package postgresql-client-{version}"
    )


def _major(path: Path) -> int:
    name = path.parent.parent.name
    return int(name) if name.isdigit() else 0


def dump(
    address: Address, version: int, without: Iterable[TableName], schemas: Iterable[str] = ()
) -> dict[str, list[Entry]]:
    """The entries of pg_dump's sections "pre-data" and "post-data". Raises ConnectorError and UsageError.

    ``without`` are tables that it does not touch (it would need the right to read them), ``schemas`` those that are no
    part of the source.
    """
    command = [
        _program(version),
        "--schema-only",
        "--verbose",  # its headers tell each entry's object
        "--no-owner",
        "--no-publications",
        "--no-subscriptions",
        "--no-security-labels",
        "--no-tablespaces",
        "--lock-wait-timeout=30000",
        "--encoding=UTF8",
        *(f"--exclude-table={_pattern(name)}" for name in without),
        *(f"--exclude-schema={_quoted(name)}" for name in schemas),
    ]
    with _reaching(address) as (where, environ):
        return {s: list(entries(_run([*command, f"--section={s}", where], environ, address))) for s in _SECTIONS}


def _pattern(name: TableName) -> str:
    """A pattern that matches this name alone: quoted parts are taken as they are."""
    return ".".join(map(_quoted, (name.schema, name.name)))


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def _run(command: list[str], environ: dict[str, str], address: Address) -> str:
    done = subprocess.run(command, capture_output=True, env=environ, check=False)  # noqa: S603
    if done.returncode != 0:
        # Its messages name objects; a schema dump reads no rows that they could quote.
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        first = next((line for line in lines if "error:" in line), "error: no message")
        raise ConnectorError(f"{address}: pg_dump failed: {first.partition('error:')[2].strip()}")
    return done.stdout.decode("utf-8")


@contextlib.contextmanager
def _reaching(address: Address) -> Iterator[tuple[str, dict[str, str]]]:
    """The argument and the environment that lead pg_dump to the database.

    The password is in a file that only this user can read: arguments show in every user's list of processes.
    """
    from psycopg.conninfo import make_conninfo

    params = address.params()
    password = params.pop("password", None)
    where = f"--dbname={make_conninfo(**params)}"
    environ = {**os.environ, "LC_ALL": "C"}
    if password is None:  # then libpq finds it by itself, or needs none
        yield where, environ
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="dbmask-") as file:  # made with mode 0600
        escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        environ.pop("PGPASSWORD", None)
        yield where, {**environ, "PGPASSFILE": file.name}


def entries(text: str) -> Iterator[Entry]:
    """Cut a verbose dump into its entries.

    Headers are comments; a comment's text within a literal or a function's body is none. What stands before the first
    (settings) is left away: sessions have their own.
    """
    heads: list[tuple[int, list[str]]] = []
    comments = [(m.start(), m["comment"]) for m in _LEXER.finditer(text) if m["comment"] is not None]
    for i, (start, comment) in enumerate(comments):
        if _TOC.fullmatch(comment) is not None:
            lines = [c for _, c in comments[i : i + 4]]
            heads.append((start, lines))
    for i, (start, lines) in enumerate(heads):
        end = heads[i + 1][0] if i + 1 < len(heads) else len(text)
        made = _entry(lines, text[start:end])
        if made.sql:
            yield made


def _entry(lines: list[str], text: str) -> Entry:
    toc = _TOC.fullmatch(lines[0])
    needs = tuple(int(n) for n in re.findall(r"\d+", lines[1])) if lines[1].startswith("-- Dependencies:") else ()
    named = next((m for m in map(_NAME.fullmatch, lines[1:]) if m), None)
    if toc is None or named is None:
        raise ConnectorError(f"pg_dump's output is not understood at {lines[0]!r}")
    name, kind, schema = named[1], named[2], named[3]
    number, catalog, oid = (int(n) for n in toc.groups())
    return Entry(kind, schema if schema != "-" else "", name, _body(text), number, catalog, oid, needs)


def _body(text: str) -> str:
    """The SQL between two headers, without comments, and without what pg_dump writes behind an entry."""
    kept = []
    at = 0
    for match in _LEXER.finditer(text):
        if match["comment"] is not None:
            kept.append(text[at : match.start()])
            at = match.end()
    sql = "".join([*kept, text[at:]]).strip()
    while found := _BETWEEN.search(sql):
        sql = sql[: found.start()].rstrip()
    return sql
