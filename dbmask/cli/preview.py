"""``dbmask preview``."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from dbmask.cli.common import format_option, key_option, load_policy, policy_argument, source_option
from dbmask.errors import UsageError
from dbmask.masks.base import nearest
from dbmask.schema import TableName

if TYPE_CHECKING:
    from dbmask.planner import Plan, TablePlan

__all__ = ["command"]


@click.command("preview")
@policy_argument
@source_option
@click.option(
    "--table", required=True, metavar="TABLE", help="schema.table; in SQLite and DuckDB `main.` may be left out."
)
@click.option("--rows", default=10, show_default=True, type=click.IntRange(1, 1_000), help="How many rows.")
@format_option
@key_option
def command(policy: str, source: str, table: str, rows: int, form: str, key_file: str | None) -> None:
    """Show the first rows of a table as a clone would hold them: masked, and only masked."""
    from dbmask.planner import plan_source
    from dbmask.registry import connector_for

    loaded, keys = load_policy(policy, key_file)
    with closing(connector_for(source).source(source)) as opened:
        made = plan_source(loaded, opened, keys=keys).require()
        one = _find(made, table)
        names, shown = _masked(opened, one, rows, keys)
    if form == "json":
        click.echo(
            json.dumps([dict(zip(names, row, strict=True)) for row in shown], indent=2, default=str, ensure_ascii=False)
        )
    else:
        _show(names, shown)


def _find(made: Plan, text: str) -> TablePlan:
    try:
        name = TableName.parse(text, made.schema.default_schema)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}") from None
    found = made.tables.get(name)
    if found is None:
        hint = nearest(str(name), [str(n) for n in made.tables])
        raise UsageError(f"there is no table {name}" + (f" ({hint})" if hint else ""))
    if not found.writes:
        raise UsageError(f"{name} is {found.mode.value} in the policy: it has no rows in a replica")
    return found


def _masked(source: Any, table: TablePlan, rows: int, keys: Any) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    from dataclasses import replace

    from dbmask.engine import masked_batches
    from dbmask.planner import pads_for, reading

    full = reading(table, source.capabilities.dialect)
    one = replace(full, query=full.query.limit(rows))
    with source.snapshot() as reader:
        reader.use_keys(pads_for([one.query], keys))
        found = [row for batch in masked_batches(reader, one) for row in zip(*batch, strict=True)]
    return full.writes, found


def _show(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A row a line where the terminal is wide enough, else a block for each row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    shown = Table(box=None, pad_edge=False)
    for name in names:
        shown.add_column(Text(name), overflow="fold")
    for row in texts:
        shown.add_row(*map(Text, row))
    if console.measure(shown, options=console.options.update(width=10_000)).maximum <= console.width:
        console.print(shown)
        return
    for row in texts:
        block = Table(box=None, pad_edge=False, show_header=False)
        for name, value in zip(names, row, strict=True):
            block.add_row(Text(name), Text(value))
        console.print(block, "")
