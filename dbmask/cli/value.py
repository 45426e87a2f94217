"""``dbmask value``."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import sys
from pathlib import Path

import click

from dbmask.cli.common import database_url, key_option, load_policy, policy_argument
from dbmask.errors import UsageError
from dbmask.masks.base import nearest
from dbmask.planner import Plan, TablePlan, plan
from dbmask.schema import TableName, split_name

__all__ = ["audit_path", "command"]


@click.command("value")
@policy_argument
@click.argument("column")
@click.option(
    "--source",
    required=True,
    type=database_url,
    metavar="URL",
    help="The database, for the column's type and references.",
)
@click.option("--audit", metavar="FILE", help="Where the use is recorded; by default in the user's state directory.")
@key_option
def command(policy: str, column: str, source: str, audit: str | None, key_file: str | None) -> None:
    """Mask values from standard input, one a line, as COLUMN (schema.table.column) masks them.

    This is how support finds a person in the replica. Each use is recorded: who, when, which column, how many values.
    """
    loaded, keys = load_policy(policy, key_file)
    made = plan(loaded, source, keys=keys).require()
    table, name = _find(made, column)
    unit = next((u for u in table.units if u.bound.outputs == (name,)), None)
    if unit is None or unit.bound.inputs != (name,):
        raise UsageError(
            f"{column} is not masked from its own value alone, so a value cannot be masked without its row"
        )
    values = [line.rstrip("\n") for line in sys.stdin]
    path = Path(audit) if audit else audit_path()
    _record(path, loaded.path, column, len(values))
    for result in unit.bound.apply([values])[0]:
        click.echo("" if result is None else result)


def _find(made: Plan, text: str) -> tuple[TablePlan, str]:
    try:
        *table, name = split_name(text)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}") from None
    if not table:
        raise UsageError(f"{text!r}: expected schema.table.column")
    wanted = TableName(table[0] if len(table) > 1 else made.schema.default_schema, table[-1])
    found = made.tables.get(wanted)
    if found is None:
        hint = nearest(str(wanted), [str(n) for n in made.tables])
        raise UsageError(f"there is no table {wanted}" + (f" ({hint})" if hint else ""))
    if found.table.column(name) is None:
        hint = nearest(name, [c.name for c in found.table.columns])
        raise UsageError(f"{wanted} has no column {name!r}" + (f" ({hint})" if hint else ""))
    return found, name


def audit_path() -> Path:
    """audit.jsonl in the user's state directory (XDG_STATE_HOME, else ~/.local/state)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "dbmask" / "audit.jsonl"


def _record(path: Path, policy: str, column: str, count: int) -> None:
    entry = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "who": getpass.getuser(),
        "command": "value",
        "policy": policy,
        "column": column,
        "values": count,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise UsageError(
            f"the use cannot be recorded in {path}: {error.strerror}; name another file with --audit"
        ) from None
