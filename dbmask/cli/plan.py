"""``dbmask plan``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dbmask.cli.common import database_url, format_option, key_option, load_policy, policy_argument, source_option
from dbmask.planner import Plan, RunsIn, reading
from dbmask.policy.model import TableMode

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["command", "plan_facts"]


@click.command("plan")
@policy_argument
@source_option
@click.option(
    "--target", type=database_url, metavar="URL", help="Look at the other end as well: may a clone write there?"
)
@click.option("--overwrite", is_flag=True, help="The clone would replace a target that is not empty.")
@click.option(
    "--sql", "show_sql", is_flag=True, help="Show the SELECT that reads each table; keys appear as references."
)
@format_option
@key_option
def command(
    policy: str, source: str, target: str | None, overwrite: bool, show_sql: bool, form: str, key_file: str | None
) -> None:
    """Show for every column its mask, where it runs and why; exit 2 with every problem where there is one."""
    from dbmask.planner import plan

    loaded, keys = load_policy(policy, key_file)
    made = plan(loaded, source, target=target, overwrite=overwrite, keys=keys)
    if form == "json":
        click.echo(json.dumps(plan_facts(made, show_sql), indent=2, ensure_ascii=False))
    elif show_sql:
        for name, text in _queries(made).items():
            click.echo(f"-- {name}\n{text};\n")
    else:
        _show(made)
    for warning in made.warnings:
        click.echo(f"Warning: {warning}", err=True)
    made.require()


def _queries(made: Plan) -> dict[str, str]:
    dialect = made.schema.dialect
    return {
        str(t.name): reading(t, dialect).query.sql(dialect, pretty=True)
        for t in made
        if t.mode in (TableMode.MASK, TableMode.KEEP) and t.writes
    }


def plan_facts(made: Plan, with_sql: bool) -> dict[str, Any]:
    """A plan as plain data: tables, columns, problems, warnings; with the SELECTs where asked for."""
    queries = _queries(made) if with_sql else {}
    tables = []
    for table in made:
        columns = [
            {
                "column": c.column.name,
                "type": str(c.column.type),
                "mask": c.mask,
                "runs_in": c.runs_in.value,
                "why": c.why,
                "warnings": list(c.warnings),
            }
            for c in table.columns
        ]
        facts: dict[str, Any] = {
            "table": str(table.name),
            "mode": table.mode.value,
            "rows": table.table.rows,
            "columns": columns,
        }
        if str(table.name) in queries:
            facts["sql"] = queries[str(table.name)]
        tables.append(facts)
    problems = [{"where": p.where, "what": p.what, "hint": p.hint} for p in made.problems]
    warnings = [{"where": w.where, "what": w.what, "hint": w.hint} for w in made.warnings]
    return {"profile": made.profile.value, "tables": tables, "problems": problems, "warnings": warnings}


_STYLE = {RunsIn.SQL: "green", RunsIn.PYTHON: "yellow", RunsIn.DATABASE: "cyan", RunsIn.NOWHERE: "dim"}


def _show(made: Plan) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table(made))
    masked = sum(c.masked for t in made for c in t.columns)
    left = sum(c.runs_in is RunsIn.PYTHON for t in made for c in t.columns)
    verdict = f"[red]{len(made.problems)} problems[/red]" if made.problems else "[green]no problems[/green]"
    console.print(
        f"{len(made.tables)} tables, {masked} masked columns, {left} of them in Python, {len(made.warnings)} warnings, {verdict}",
        highlight=False,
    )


def _table(made: Plan) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("table", "column", "type", "mask", "runs in", "why"):
        table.add_column(heading, overflow="fold")
    for one in made:
        name = escape(str(one.name))
        if one.mode in (TableMode.EMPTY, TableMode.SKIP):
            table.add_row(name, "", "", one.mode.value, "", escape(one.why))
            continue
        for i, c in enumerate(one.columns):
            why = escape(c.why) + "".join(f"\n[yellow]warning:[/yellow] {escape(w)}" for w in c.warnings)
            where = f"[{_STYLE[c.runs_in]}]{c.runs_in.value}[/]"
            table.add_row("" if i else name, escape(c.column.name), escape(str(c.column.type)), c.mask, where, why)
    return table
