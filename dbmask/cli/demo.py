"""``dbmask demo``."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from dbmask.errors import UsageError
from dbmask.keys import KeyRing, MasterKey, new_key

__all__ = ["command"]

_SHOWN = ("id", "first_name", "last_name", "email", "phone", "card", "born", "city", "note")


@click.command("demo")
@click.option(
    "--dir", "folder", default="demo", show_default=True, type=click.Path(file_okay=False), help="Where its files go."
)
def command(folder: str) -> None:
    """Make a small shop database, clone it masked, show rows before and after with each mask and where it ran."""
    from dbmask.cli.shop import POLICY, make_shop
    from dbmask.cloner import clone
    from dbmask.policy import Policy

    place = Path(folder)
    source, target, policy = place / "shop.db", place / "shop_masked.db", place / "policy.yaml"
    try:
        place.mkdir(parents=True, exist_ok=True)
        make_shop(source)
        policy.write_text(POLICY.read_text("utf-8"), "utf-8")
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "the database cannot be written"
        raise UsageError(f"{place}: {reason}; name another folder with --dir") from None
    loaded = Policy.load(policy)
    done = clone(
        loaded, f"sqlite:///{source}", f"sqlite:///{target}", certificate=place / "certificate.json", keys=_keys(place)
    )
    customer = next(t for t in done.plan if t.name.name == "customer")
    masks = {c.column.name: (c.mask, c.runs_in.value) for c in customer.columns}
    before = _rows(source, None)
    ids = next(u.bound for u in customer.units if u.bound.outputs == ("id",))
    after = _rows(target, ids.apply([[row["id"] for row in before]])[0])
    _show(before, after, masks)
    rows, checks = sum(done.rows.values()), len(done.certificate.checks)
    click.echo(f"{len(done.rows)} tables, {rows:,} rows, {checks} checks passed: {place / 'certificate.json'}")
    click.echo(f"before: {source}   after: {target}   how: {policy}")


def _keys(place: Path) -> KeyRing:
    """DBMASK_KEY where it is set; otherwise a key of the demo's own, kept so that a second run gives the same answers."""
    if "DBMASK_KEY" in os.environ:
        return KeyRing(MasterKey.load("env:DBMASK_KEY"))
    file = place / "demo.key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(new_key() + "\n", "utf-8")
    return KeyRing(MasterKey.load(f"file:{file}"))


def _rows(path: Path, ids: list[int] | None) -> list[dict[str, Any]]:
    """The customers with these ids, in this order; without ids the first of each language."""
    columns = ", ".join(_SHOWN)
    first = f"SELECT {columns} FROM customer WHERE id IN (SELECT min(id) FROM customer GROUP BY language) ORDER BY id"  # noqa: S608 - fixed names
    one = f"SELECT {columns} FROM customer WHERE id = ?"  # noqa: S608 - fixed names
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        found = db.execute(first).fetchall() if ids is None else [db.execute(one, (i,)).fetchone() for i in ids]
    return [dict(row) for row in found]


def _show(before: list[dict[str, Any]], after: list[dict[str, Any]], masks: dict[str, tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for raw, masked in zip(before, after, strict=True):
        table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
        for heading in ("column", "before", "after", "mask", "ran in"):
            table.add_column(heading, overflow="fold")
        for name in _SHOWN:
            mask, runs_in = masks[name]
            table.add_row(name, *(Text("" if v is None else str(v)) for v in (raw[name], masked[name])), mask, runs_in)
        console.print(table)
        console.print()
