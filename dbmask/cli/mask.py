"""``dbmask mask``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dbmask.cli.common import key_option, load_policy
from dbmask.cli.found import say_texts
from dbmask.cli.step import mask_by_step
from dbmask.errors import UsageError
from dbmask.keys import KeyRing, MasterKey

if TYPE_CHECKING:
    from dbmask.files import FileResult
    from dbmask.files.rules import Rule
    from dbmask.policy import Policy

__all__ = ["command"]

_FORMATS = click.Choice(["csv", "json", "jsonl", "parquet"])


@click.command("mask")
@click.option("--rules", metavar="FILE", help="Rules: field to strategy, as JSON, YAML or TOML.")
@click.option("--policy", metavar="FILE", help="A policy; the file is one of its tables.")
@click.option("--step", metavar="FILE", help="An anonymizer step as XML, read as it is.")
@click.option("--input", "source", default="-", metavar="FILE", help="What to mask; - or nothing is standard input.")
@click.option("--output", default="-", metavar="FILE", help="Where it goes, complete or not at all; may be the input.")
@click.option("--format", "form", type=_FORMATS, help="Format of the output, and of an input without an ending.")
@click.option("--input-format", type=_FORMATS, help="Format of the input, where its name does not tell it.")
@click.option("--table", metavar="TABLE", help="The policy's table; by default the one called as the file.")
@click.option("--salt", envvar="DBMASK_SALT", default="", help="Salt of hashes without one of their own (DBMASK_SALT).")
@click.option("--delimiter", metavar="CHAR", help="What stands between fields of a CSV; a comma, or a tab for .tsv.")
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of CSV and JSON.")
@click.option("--limit", type=click.IntRange(min=0), help="Mask the first rows only.")
@click.option("--strict", is_flag=True, help="Refuse fields without a rule.")
@click.option("--allow-missing", is_flag=True, help="Allow rules that match no field.")
@click.option("--name-lookup", metavar="FILE", help="CSV of name and replacement, or builtin:cs, in place of a step's.")
@key_option
def command(
    rules: str | None,
    policy: str | None,
    step: str | None,
    source: str,
    output: str,
    form: str | None,
    input_format: str | None,
    table: str | None,
    salt: str,
    delimiter: str | None,
    encoding: str,
    limit: int | None,
    strict: bool,
    allow_missing: bool,
    name_lookup: str | None,
    key_file: str | None,
) -> None:
    """Mask a file by rules, by a policy, or by an anonymizer step.

    CSV, JSON, JSON Lines and Parquet, from any into any. Fields without a rule pass as they are and are listed; a column
    that a policy does not name is refused.

    Exit codes: 0 done, 1 a value could not be masked or a rule matched nothing, 2 wrong usage, rules, policy or input.
    A run that fails leaves no output, and what stood there as it was.
    """
    given = [name for name, value in (("--rules", rules), ("--policy", policy), ("--step", step)) if value is not None]
    if len(given) != 1:
        raise UsageError("give one of --rules, --policy and --step" + (f", not {' and '.join(given)}" if given else ""))
    _check_options(given[0], table=table, name_lookup=name_lookup, strict=strict, allow_missing=allow_missing)
    if step is not None:
        if "-" in (source, output):
            raise UsageError("--step needs --input FILE and --output FILE")
        mask_by_step(
            step, source, output, key_file=key_file, name_lookup=name_lookup, delimiter=delimiter or ",", limit=limit
        )
        return
    what: Policy | Sequence[Rule]
    what, keys = _rules(rules, salt, key_file) if rules is not None else load_policy(policy or "", key_file)
    from dbmask.files import FileJob, mask_file

    job = FileJob(
        what,
        keys,
        source=None if source == "-" else source,
        target=None if output == "-" else output,
        source_format=input_format or (form if source == "-" else None),
        target_format=form,
        delimiter=_delimiter(delimiter),
        encoding=encoding,
        limit=limit,
        strict=strict,
        allow_missing=allow_missing,
        table=table,
    )
    _say(mask_file(job), output)


def _check_options(kind: str, **given: object) -> None:
    belongs = {"table": "--policy", "name_lookup": "--step", "strict": "--rules", "allow_missing": "--rules"}
    for name, value in given.items():
        if value and belongs[name] != kind:
            raise UsageError(f"--{name.replace('_', '-')} belongs to {belongs[name]}")


def _rules(path: str, salt: str, key_file: str | None) -> tuple[Sequence[Rule], KeyRing]:
    from dbmask.files import load_rules

    source = f"file:{key_file}" if key_file is not None else "env:DBMASK_KEY" if "DBMASK_KEY" in os.environ else None
    return load_rules(path, salt), KeyRing(None if source is None else MasterKey.load(source))


def _delimiter(text: str | None) -> str | None:
    return "\t" if text in ("\\t", "tab") else text


def _say(result: FileResult, output: str) -> None:
    for text in result.warnings:
        click.echo(f"Warning: {text}", err=True)
    if result.unruled:
        shown = ", ".join(result.unruled[:50])
        more = len(result.unruled) - 50
        click.echo(f"Passed without a rule: {shown}" + (f" and {more} more" if more > 0 else ""), err=True)
    say_texts(result.found, err=True)
    rows = f"{result.rows:,} {'row' if result.rows == 1 else 'rows'} masked"
    click.echo(rows if output == "-" else f"{rows} into {output}", err=True)
