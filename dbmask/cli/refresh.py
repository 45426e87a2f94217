"""``dbmask refresh``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dbmask.cli.certificate import sign_option
from dbmask.cli.common import (
    certificate_option,
    format_option,
    key_option,
    load_policy,
    policy_argument,
    quiet_option,
    state_option,
    state_url,
)

if TYPE_CHECKING:
    from dbmask.refresher import RefreshResult

__all__ = ["command"]


@click.command("refresh")
@policy_argument
@click.option("--job", metavar="NAME", help="Which of the policy's jobs; may be left out where there is one.")
@click.option("--daemon", is_flag=True, help="Stay, and run every job of the policy by its schedule.")
@click.option("--print-unit", is_flag=True, help="Print a systemd service and timer, and a cron line, for the job.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes of a full clone."
)
@click.option("--max-rate", type=click.FloatRange(min=1), metavar="ROWS", help="Read at most so many rows a second.")
@certificate_option(
    "Write the run's certificate as JSON, and as a page (.html) beside it; {run} in its name is the run's number."
)
@sign_option
@click.option("--overwrite", is_flag=True, help="Let the first run replace a target that is not empty.")
@state_option
@format_option
@quiet_option
@key_option
def command(
    policy: str,
    job: str | None,
    daemon: bool,
    print_unit: bool,
    jobs: int,
    max_rate: float | None,
    certificate: str | None,
    sign_with: str | None,
    overwrite: bool,
    state: str | None,
    form: str,
    quiet: bool,
    key_file: str | None,
) -> None:
    """Bring a job's replica up to date: by a full clone the first time, then by what has changed.

    Exit codes: 0 done; 1 the run failed and the replica is as it was; 2 wrong usage or policy; 3 drift, or changes that
    others made in the replica and the job forbids.
    """
    if print_unit or daemon:
        more = {"--state": state, "--key-file": key_file, "--certificate": certificate, "--sign-with": sign_with}
        _service(policy, job, daemon, [part for option, value in more.items() if value for part in (option, value)])
        return
    from dbmask.cli.found import failed_as
    from dbmask.cloner import Options
    from dbmask.cloner.progress import Quiet, reporter
    from dbmask.refresher import job_named, refresh

    loaded, keys = load_policy(policy, key_file)
    with failed_as(form):
        done = refresh(
            loaded,
            job,
            keys=keys,
            state=state_url(state),
            show=Quiet() if quiet else reporter(sys.stderr),
            options=Options(jobs, max_rate),
            overwrite=overwrite,
            say=lambda text: click.echo(text, err=True),
            certificate=certificate,
            sign_with=sign_with,
        )
    sides = _side_tables(loaded, job_named(loaded, job)[1], keys)
    if form == "json":
        tables = {n: {k: v for k, v in asdict(t).items() if k != "name"} for n, t in done.tables.items()}
        facts = {
            "job": done.job,
            "run": done.run,
            "mode": done.mode,
            "why": done.why,
            "tables": tables,
            "side_tables": sides,
            "certificate": str(done.certificate_path) if done.certificate_path else None,
        }
        click.echo(json.dumps(facts, indent=2))
        return
    _say(done)
    for table, rows in sides.items():
        click.echo(f"Side table of {table}: {rows:,} rows masked.")


def _say(done: RefreshResult) -> None:
    for table in done.tables.values():
        gone = f", {table.rows_gone:,} removed" if table.rows_gone else ""
        click.echo(
            f"{table.name}: {table.rows_read:,} rows read, {table.rows:,} written{gone} ({table.mode}: {table.why})"
        )
    click.echo(f"Job {done.job}, run {done.run}: {done.rows_read:,} rows read, {done.rows_written:,} written.")
    if done.certificate_path:
        click.echo(f"Certificate: {done.certificate_path}")


def _side_tables(policy: Any, job: Any, keys: Any) -> dict[str, int]:
    """Bring up to date what the proxy's views show of masks that run in Python."""
    if job.side_tables is None:
        return {}
    from pathlib import Path

    from dbmask.policy.jobs import secret
    from dbmask.proxy.side_refresh import refresh_side_tables

    source = secret(job.source, "source", str(Path(policy.path).parent))
    return {str(d.table): d.masked for d in refresh_side_tables(policy, source, job.side_tables, keys=keys)}


def _service(policy: str, job: str | None, daemon: bool, more: Sequence[str]) -> None:
    from dbmask.policy import Policy

    loaded = Policy.load(policy)
    if daemon:
        from dbmask.refresher.daemon import serve

        serve(loaded, job, more, lambda text: click.echo(text, err=True))
        return
    from dbmask.refresher import job_named
    from dbmask.refresher.unit import unit

    click.echo(unit(loaded, *job_named(loaded, job), more))
