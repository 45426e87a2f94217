"""``dbmask analyze``: risk and utility. ``--qi a b c`` takes all words up to the next option, as the tutorial has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from dbmask.cli.common import database_url, format_option
from dbmask.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from dbmask.analytics.columns import Frame
    from dbmask.analytics.result import Result

__all__ = ["command", "spread"]

_LISTS = ("--qi", "--analytics", "--metrics", "--numerical", "--categorical", "--key")
_PRESET = click.option(
    "--preset", type=click.Choice(["medical", "public", "internal", "exploratory"]), help="Thresholds of a situation."
)
_REPORT = click.option("--report", metavar="FILE", type=click.Path(dir_okay=False), help="Write an HTML report.")
_NO_FAIL = click.option("--no-fail", is_flag=True, help="Exit 0 where a threshold is missed.")


def _database(name: str, holds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(name, type=database_url, metavar="URL", help=holds)


def spread(args: Sequence[str]) -> list[str]:
    """Arguments in which each word after a list's option has the option before it: click reads one value each time."""
    made: list[str] = []
    option: str | None = None
    taken = 0
    for arg in args:
        if arg.startswith("--"):
            option, taken = (arg if arg in _LISTS else None), 0
            made.append(arg)
        elif option is not None:
            made += [option, arg] if taken else [arg]
            taken += 1
        else:
            made.append(arg)
    return made


class _Lists(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))


@click.group("analyze")
def command() -> None:
    """Measure re-identification risk, and the utility of what was masked."""


@command.command("risk", cls=_Lists)
@click.option("--input", "path", metavar="FILE", help="CSV, JSON, JSON Lines or Parquet.")
@_database("--source", "A database, in place of a file; the database groups its rows itself.")
@click.option("--table", metavar="TABLE", help="The table in --source.")
@click.option("--qi", multiple=True, required=True, metavar="FIELD...", help="Quasi-identifiers.")
@click.option("--sa", metavar="FIELD", help="The sensitive attribute; without it k-anonymity alone is measured.")
@click.option("--k-threshold", type=click.IntRange(min=1), help="Least class size.  [default: 2]")
@click.option("--l-threshold", type=click.IntRange(min=1), help="Least number of sensitive values.  [default: 2]")
@click.option("--t-threshold", type=click.FloatRange(0, 1), help="Largest distance.  [default: 0.2]")
@click.option("--analytics", multiple=True, metavar="NAME...", help="k_anonymity, l_diversity, t_closeness; all.")
@click.option(
    "--original", metavar="FILE|URL", help="The data before masking, a file or a database: its figures beside."
)
@click.option("--original-table", metavar="TABLE", help="The table in the database of --original; by default --table.")
@_PRESET
@_REPORT
@format_option
@_NO_FAIL
def risk_command(
    path: str | None,
    source: str | None,
    table: str | None,
    qi: tuple[str, ...],
    sa: str | None,
    k_threshold: int | None,
    l_threshold: int | None,
    t_threshold: float | None,
    analytics: tuple[str, ...],
    original: str | None,
    original_table: str | None,
    preset: str | None,
    report: str | None,
    form: str,
    no_fail: bool,
) -> None:
    """Measure k-anonymity, l-diversity and t-closeness.

    Exit codes: 0 all passed, 2 wrong usage or data, 3 a threshold is missed.
    """
    from dbmask.analytics import PRESETS, risk
    from dbmask.analytics.readers import read_file, read_groups

    fields = list(dict.fromkeys([*qi, *([sa] if sa else [])]))
    if source is not None and (path is not None or table is None):
        raise UsageError("--source goes with --table and without --input")
    if source is None and path is None:
        raise UsageError("give --input FILE, or --source URL and --table TABLE")
    before = _before(original, original_table, table, source is None)
    frame = read_file(str(path), fields) if source is None else read_groups(source, str(table), fields)
    given = PRESETS[preset] if preset else {"k": 2, "l": 2, "t": 0.2}
    limits = (
        int(given["k"]) if k_threshold is None else k_threshold,
        int(given["l"]) if l_threshold is None else l_threshold,
        given["t"] if t_threshold is None else t_threshold,
    )
    results = risk.run_frame(frame, qi, sa, analytics or None, *limits)
    if before is not None:
        read = read_file(before[0], fields) if before[1] is None else read_groups(before[0], before[1], fields)
        results = risk.compare(risk.run_frame(read, qi, sa, analytics or None, *limits), results)
    _finish(results, {"records": frame.total, "data": path or table}, report, form, no_fail)


def _before(
    original: str | None, own_table: str | None, table: str | None, of_file: bool
) -> tuple[str, str | None] | None:
    """What --original names: a file, or a database (``://``) and the table in it."""
    database = original is not None and "://" in original
    if own_table is not None and not database:
        raise UsageError("--original-table goes with --original URL")
    if of_file and table is not None:
        raise UsageError("--table goes with --source; the table of --original URL is --original-table")
    if original is None or not database:
        return None if original is None else (original, None)
    name = own_table or table
    if name is None:
        raise UsageError("--original URL needs --original-table TABLE")
    return original, name


@command.command("utility", cls=_Lists)
@click.option("--original", metavar="FILE", help="The data before masking.")
@click.option("--anonymized", metavar="FILE", help="The data after masking, row by row the same records.")
@_database("--source", "A database that holds the original table, in place of --original.")
@_database("--target", "A database that holds the masked table, in place of --anonymized.")
@click.option("--table", metavar="TABLE", help="The table; its rows are paired by its primary key.")
@click.option(
    "--key",
    multiple=True,
    metavar="FIELD...",
    help="Columns of --table to pair rows by, where the primary key is masked; they tell rows apart and are not masked.",
)
@click.option("--numerical", multiple=True, metavar="FIELD...", help="Fields that are numbers.")
@click.option("--categorical", multiple=True, metavar="FIELD...", help="Fields that are categories.")
@click.option(
    "--metrics", multiple=True, metavar="NAME...", help="field_retention, statistical_fidelity, information_loss"
)
@click.option("--field-retention-threshold", type=click.FloatRange(0, 1), help="[default: 0.5]")
@click.option("--statistical-fidelity-threshold", type=click.FloatRange(0, 1), help="[default: 0.6]")
@click.option("--information-loss-threshold", type=click.FloatRange(0, 1), help="Of the score.  [default: 0.5]")
@_PRESET
@_REPORT
@format_option
@_NO_FAIL
def utility_command(
    original: str | None,
    anonymized: str | None,
    source: str | None,
    target: str | None,
    table: str | None,
    key: tuple[str, ...],
    numerical: tuple[str, ...],
    categorical: tuple[str, ...],
    metrics: tuple[str, ...],
    field_retention_threshold: float | None,
    statistical_fidelity_threshold: float | None,
    information_loss_threshold: float | None,
    preset: str | None,
    report: str | None,
    form: str,
    no_fail: bool,
) -> None:
    """Compare masked data with the original: field retention, statistical fidelity, information loss.

    Exit codes: 0 all passed, 2 wrong usage or data, 3 a threshold is missed.
    """
    from dbmask.analytics import PRESETS, utility

    if table is not None and source is None and target is None:
        raise UsageError("--table goes with --source or --target")
    if key and (source is None or target is None):
        raise UsageError("--key goes with --source and --target: a file's rows are paired as they come")
    before = _side(original, source, table, key, "--original", "--source")
    after = _side(anonymized, target, table, key, "--anonymized", "--target")
    asked = (field_retention_threshold, statistical_fidelity_threshold, information_loss_threshold)
    default = (PRESETS[preset]["utility"],) * 3 if preset else (0.5, 0.6, 0.5)
    limits = tuple(d if a is None else a for a, d in zip(asked, default, strict=True))
    thresholds = (limits[0], limits[1], limits[2])
    results = utility.run_frames(before, after, numerical, categorical, metrics or None, thresholds)
    _finish(results, {"records": before.rows, "data": anonymized or table}, report, form, no_fail)


def _side(
    path: str | None, url: str | None, table: str | None, key: Sequence[str], file_option: str, url_option: str
) -> Frame:
    from dbmask.analytics.readers import read_file, read_table

    if (path is None) == (url is None) or (url is not None and table is None):
        raise UsageError(f"give one of {file_option} FILE and {url_option} URL with --table TABLE")
    return read_file(path) if path is not None else read_table(str(url), str(table), key)


def _finish(results: list[Result], info: dict[str, Any], report: str | None, form: str, no_fail: bool) -> None:
    from dbmask.analytics.report import generate

    if report is not None:
        generate(results, report, info)
        click.echo(f"Report: {report}", err=True)
    passed = sum(r.passed for r in results)
    if form == "json":
        facts = {**info, "passed": passed == len(results), "results": [r.as_dict() for r in results]}
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        for result in results:
            click.echo(_line(result))
        click.echo(f"{passed} of {len(results)} metrics passed")
    if passed < len(results) and not no_fail:
        raise CheckFailed(f"{len(results) - passed} of {len(results)} metrics missed their threshold")


def _line(result: Result) -> str:
    beside = ""
    if result.score is not None:
        figure = f"score={result.score:.2f}"
    else:
        key = next(k for k in ("k_min", "l_min", "t_max") if k in result.summary)
        figure = f"{key}={result.summary[key]}"
        if "source" in result.summary:
            beside = f"  (before: {result.summary['source'][key]})"
    mark, word = ("✓", "passed") if result.passed else ("✗", "failed")
    return f"{mark}  {result.name:<26}{figure:<10}  {word}{beside}"
