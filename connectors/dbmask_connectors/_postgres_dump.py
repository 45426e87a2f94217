"""The structure of a database through pg_dump, cut into its entries, so that each can be run when its time comes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask_connectors._postgres_session import Address

__all__ = ["Entry", "dump", "entries"]

_HEADER = re.compile(
    r"^--\n-- Name: (?P<name>.*); Type: (?P<type>[A-Z -]+); Schema: (?P<schema>.*); Owner: .*\n--\n", re.M
)
# What would need roles or rights that the replica's server does not have.
_LEFT_OUT = {"POLICY": "row-security policy", "ROW SECURITY": "row security of", "EVENT TRIGGER": "event trigger"}


@dataclass(frozen=True)
class Entry:
    """One entry of a dump: its ``name`` and ``type`` as pg_dump writes them, and its SQL."""

    name: str
    type: str
    schema: str
    sql: str

    @property
    def left_out(self) -> str:
        """What to call it among the things that do not arrive; empty where it does."""
        what = _LEFT_OUT.get(self.type)
        return f"{what} {self.name}" if what else ""


def _program(version: int) -> str:
    """The newest pg_dump here. Raises UsageError where there is none, or none as new as the server."""
    found = [str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), key=_major)]
    on_path = shutil.which("pg_dump")
    for program in [*reversed(found), *([on_path] if on_path else [])]:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        major = re.search(r"(\d+)", shown)
        if major and int(major[1]) >= version:
            return program
    raise UsageError(
        f"cloning from PostgreSQL {version} needs its pg_dump, version {version} or later: "
        f"install the package postgresql-client-{version}"
    )


def _major(path: Path) -> int:
    name = path.parent.parent.name
    return int(name) if name.isdigit() else 0


def dump(address: Address, section: str, version: int, without: Iterable[TableName]) -> str:
    """pg_dump's SQL of one section ("pre-data" or "post-data"), without data, owners, grants and these relations.

    The password travels in the environment, not on the command line. Raises ConnectorError and UsageError.
    """
    command = [
        _program(version),
        "--schema-only",
        f"--section={section}",
        "--no-owner",
        "--no-privileges",
        "--no-publications",
        "--no-subscriptions",
        "--no-security-labels",
        "--no-tablespaces",
        "--lock-wait-timeout=30000",
        *(f"--exclude-table={_pattern(name)}" for name in without),
    ]
    environ = dict(os.environ)
    params = address.params()
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    names |= {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "connect_timeout": "PGCONNECT_TIMEOUT"}
    environ.update({names[k]: str(v) for k, v in params.items() if k in names})
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)  # noqa: S603
    if done.returncode != 0:
        # Its messages name objects; DETAIL lines and contexts may quote rows, but a schema dump reads none.
        first = next((line for line in done.stderr.splitlines() if "error:" in line), "no message")
        raise ConnectorError(f"{address}: pg_dump failed: {first.partition('error:')[2].strip()}")
    return done.stdout


def _pattern(name: TableName) -> str:
    """A pattern that matches this name alone: quoted parts are taken as they are."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (name.schema, name.name))


def entries(text: str) -> Iterator[Entry]:
    """Cut a dump at its headers. What stands before the first (settings) is left away: sessions have their own."""
    text = re.sub(r"^\\(?:un)?restrict .*$", "", text, flags=re.M)
    found = list(_HEADER.finditer(text))
    for i, match in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(text)
        body = text[match.end() : end].split("\n--\n-- PostgreSQL database dump complete")[0].strip()
        body = re.sub(r"^SET default_(?:tablespace|table_access_method) = .*;$", "", body, flags=re.M).strip()
        if body:
            yield Entry(match["name"], match["type"], match["schema"], body)
