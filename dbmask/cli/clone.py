"""``dbmask clone``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from dbmask.cli.certificate import sign_option
from dbmask.cli.common import (
    certificate_option,
    database_url,
    format_option,
    key_option,
    load_policy,
    policy_argument,
    quiet_option,
    source_option,
    state_option,
    state_url,
    subset_options,
)
from dbmask.cli.found import failed_as, say_rest, say_texts, texts_in

if TYPE_CHECKING:
    from dbmask.cloner import CloneResult
    from dbmask.schema import TableName

__all__ = ["command"]


@click.command("clone")
@policy_argument
@source_option
@click.option(
    "--target", required=True, type=database_url, metavar="URL", help="Where the replica appears when it is complete."
)
@click.option("--overwrite", is_flag=True, help="Replace a target that is not empty.")
@certificate_option("Write the run's certificate as JSON, and as a page (.html) beside it.")
@sign_option
@click.option(
    "--keep-previous",
    metavar="N",
    type=click.IntRange(min=0),
    help="How many replaced replicas stay for `dbmask rollback`; the policy's `keep_previous:` unless given, else 1.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--max-rate", type=click.FloatRange(min=1), metavar="ROWS", help="Read at most so many rows a second.")
@click.option(
    "--chunk-size",
    type=click.FloatRange(0.001, 4096),
    default=32,
    show_default=True,
    metavar="MB",
    help="About how much of a table is written, and repeated after a failure, at once.",
)
@subset_options
@click.option("--resume", is_flag=True, help="Go on with the last run into this target, which did not end well.")
@click.option(
    "--keep-snapshot",
    type=click.FloatRange(0, 86400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long the source's snapshot is held for --resume after a run has died.",
)
@state_option
@format_option
@quiet_option
@key_option
def command(
    policy: str,
    source: str,
    target: str,
    overwrite: bool,
    certificate: str | None,
    sign_with: str | None,
    keep_previous: int | None,
    jobs: int,
    max_rate: float | None,
    chunk_size: float,
    share: str | None,
    max_rows: int | None,
    resume: bool,
    keep_snapshot: float,
    state: str | None,
    form: str,
    quiet: bool,
    key_file: str | None,
) -> None:
    """Clone a database into a masked replica, which appears complete and verified or not at all."""
    from dbmask.cloner import Options, clone
    from dbmask.cloner.progress import Quiet, reporter

    loaded, keys = load_policy(policy, key_file)
    show = Quiet() if quiet else reporter(sys.stderr)
    with failed_as(form):
        done = clone(
            loaded,
            source,
            target,
            overwrite=overwrite,
            certificate=certificate,
            sign_with=sign_with,
            keep_previous=keep_previous,
            keys=keys,
            show=show,
            state=state_url(state),
            resume=resume,
            options=Options(jobs, max_rate, int(chunk_size * 2**20), keep_snapshot),
            share=share,
            max_rows=max_rows,
        )
    for warning in done.plan.warnings:
        click.echo(f"Warning: {warning}", err=True)
    texts = texts_in(done.certificate.tables)
    if form == "json":
        click.echo(json.dumps(_facts(done, texts), indent=2))
    else:
        _say(done, texts)


def _facts(done: CloneResult, texts: dict[str, Any]) -> dict[str, Any]:
    """The result as plain data."""
    return {
        "tables": {str(n): _table(done, n) for n in done.rows},
        "certificate": str(done.certificate_path) if done.certificate_path else None,
        "passed": done.certificate.passed,
        **({"texts": texts} if texts else {}),
    }


def _say(done: CloneResult, texts: dict[str, Any]) -> None:
    checks = done.certificate.checks
    click.echo(f"{len(done.rows)} tables, {sum(done.rows.values()):,} rows cloned; {len(checks)} checks passed.")
    say_texts(texts)
    say_rest(done, "Not in the replica")


def _table(done: CloneResult, name: TableName) -> dict[str, float | int]:
    chunks, reused = done.chunks.get(name, (0, 0))
    return {
        "rows": done.rows[name],
        "chunks": chunks,
        "chunks_reused": reused,
        "seconds": round(done.seconds[name], 3),
    }
