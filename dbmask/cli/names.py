"""``dbmask names build``."""

from __future__ import annotations

from pathlib import Path

import click

from dbmask.cli.common import key_option, run_keys
from dbmask.errors import UsageError

__all__ = ["command"]


@click.group("names")
def command() -> None:
    """Make dictionaries of names."""


@command.command("build")
@click.argument("tables", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("-o", "--output", required=True, metavar="FILE", help="The dictionary: CSV of name and replacement.")
@click.option("--bin", "bin_size", default=8, show_default=True, help="How many names about as frequent go round.")
@key_option
def build(tables: tuple[str, ...], output: str, bin_size: int, key_file: str | None) -> None:
    """Make a dictionary from TABLES: CSV with name, count, gender (m, f, n), usage (first, last, both), perhaps pair.

    Names of one gender and usage go round within bins of equal frequency; both forms of a Czech surname move together.
    The same tables and key give the same dictionary.
    """
    from dbmask.anonymizer.api import names_key
    from dbmask.anonymizer.lookup import write_dictionary
    from dbmask.anonymizer.name_builder import build_names, read_names

    target = Path(output)
    if any(target.exists() and target.samefile(t) for t in tables):
        raise UsageError(f"{output} is one of the tables: name another file for the dictionary")
    rows = [row for table in tables for row in read_names(table)]
    made = build_names(rows, names_key(run_keys(key_file)), bin_size)
    write_dictionary(made.dictionary, target)
    report = made.report()
    if report:
        click.echo(report, err=True)
    click.echo(f"{len(made.dictionary):,} names in {output}")
