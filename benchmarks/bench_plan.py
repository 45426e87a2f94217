"""Starting and planning: `dbmask --help`, and a plan of 1,000 tables of ten columns."""

from __future__ import annotations

import subprocess
import sys

from harness import compare, report

from dbmask.masks.build import example_keys
from dbmask.planner import build_plan
from dbmask.policy import Policy
from dbmask.schema import Column, ColumnType, Kind, Schema, Table, TableName, Unique
from dbmask.spi import Capabilities


def _schema(tables: int) -> Schema:
    text = ColumnType(Kind.TEXT, "text")
    made = {}
    for i in range(tables):
        name = TableName("public", f"t{i}")
        columns = (Column("id", text), *(Column(f"c{j}", text) for j in range(9)))
        made[name] = Table(name, columns, uniques=(Unique("pk", ("id",), primary=True),))
    return Schema("postgres", made, default_schema="public")


def main() -> None:
    """Both, each against its limit as a sleep would be: the ratio is the limit's time over dbmask's."""
    python = [sys.executable, "-m", "dbmask", "--help"]
    help_ = compare(
        "dbmask --help",
        1,
        lambda: subprocess.run(python, capture_output=True, check=True),
        "python -c pass",
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        "< 0.3 s",
    )
    report([help_])
    policy = Policy.from_text("version: 1\ntables: {'t*': {columns: {id: hash, c0: hash, c1: redact, '*': keep}}}")
    results = []
    for size in (100, 300, 1000):
        schema = _schema(size)
        plan = lambda s=schema: build_plan(policy, s, Capabilities("postgres"), keys=example_keys())  # noqa: E731
        results.append(
            compare("plan, tables of 10 columns", size, plan, "nothing", lambda: None, "1,000 in < 5 s", runs=3)
        )
    report(results)


if __name__ == "__main__":
    main()
