"""``dbmask runs``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dbmask.cli.common import format_option, state_option, state_url

if TYPE_CHECKING:
    from dbmask.state import RunRow, State

__all__ = ["command"]


@click.command("runs")
@click.argument("number", type=int, required=False)
@state_option
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many runs to list.")
@format_option
def command(number: int | None, state: str | None, limit: int, form: str) -> None:
    """List the runs, the latest first, with durations and rows; or one run with its tables."""
    from dbmask.state import State

    with State(state_url(state)) as opened:
        runs = opened.runs(limit) if number is None else [opened.run(number)]
        facts = [_facts(opened, run) for run in runs]
    if form == "json":
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    if not facts:
        click.echo("No runs yet.")
    for fact in facts:
        click.echo(_line(fact))
        if number is not None:
            for table in fact["tables"]:
                reused = (
                    f", {table['chunks_reused']} of {table['chunks']} chunks reused" if table["chunks_reused"] else ""
                )
                how = f"{table['rows_read']:,} rows read, " if table["mode"] else ""
                gone = f", {table['rows_gone']:,} removed" if table["rows_gone"] else ""
                why = f" ({table['mode']}: {table['why']})" if table["mode"] else ""
                click.echo(
                    f"  {table['name']}: {how}{table['rows']:,} rows in {table['seconds']:.1f} s{gone}{reused}{why}"
                )
            if fact["error"]:
                click.echo(f"  {fact['error']}")


def _facts(state: State, run: RunRow) -> dict[str, Any]:
    tables = [asdict(t) for t in state.tables(run.id)]
    hidden = ("keeper", "building", "snapshot", "plan_digest")
    return {
        **{k: v for k, v in asdict(run).items() if k not in hidden},
        "seconds": run.seconds,
        "rows": sum(t["rows"] for t in tables),
        "rows_read": sum(t["rows_read"] for t in tables),
        "chunks": sum(t["chunks"] for t in tables),
        "chunks_reused": sum(t["chunks_reused"] for t in tables),
        "tables": tables,
    }


def _line(fact: dict[str, Any]) -> str:
    seconds = "" if fact["seconds"] is None else f" in {fact['seconds']:.1f} s"
    job = f" {fact['job']}" if fact["job"] else ""
    phase = f" ({fact['phase']})" if fact["status"] != "done" and fact["phase"] else ""
    return (
        f"{fact['id']:>5}  {fact['started'][:19]}Z  {fact['kind']}{job}  {fact['status']}{phase}  "
        f"{fact['rows']:,} rows{seconds}  -> {fact['target']}"
    )
