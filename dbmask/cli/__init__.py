"""The command line: one file per command, each imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from dbmask import __version__
from dbmask.errors import DbmaskError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "analyze": "dbmask.cli.analyze",
    "apply": "dbmask.cli.apply",
    "certificate": "dbmask.cli.certificate",
    "check": "dbmask.cli.check",
    "clone": "dbmask.cli.clone",
    "demo": "dbmask.cli.demo",
    "init": "dbmask.cli.init",
    "install": "dbmask.cli.install",
    "key": "dbmask.cli.key",
    "mask": "dbmask.cli.mask",
    "masks": "dbmask.cli.masks",
    "materialize": "dbmask.cli.materialize",
    "names": "dbmask.cli.names",
    "ner": "dbmask.cli.ner",
    "plan": "dbmask.cli.plan",
    "preview": "dbmask.cli.preview",
    "proxy": "dbmask.cli.proxy",
    "refresh": "dbmask.cli.refresh",
    "rollback": "dbmask.cli.rollback",
    "runs": "dbmask.cli.runs",
    "schema": "dbmask.cli.schema",
    "sql": "dbmask.cli.sql",
    "text": "dbmask.cli.text",
    "uninstall": "dbmask.cli.uninstall",
    "user": "dbmask.cli.user",
    "value": "dbmask.cli.value",
    "verify": "dbmask.cli.verify",
}
"""Command name -> module; each module holds a click command called ``command``."""

_SUMMARY = {
    "analyze": "Measure re-identification risk, and the utility of what was masked.",
    "certificate": "Make keys that sign certificates; check a certificate by its maker's public key.",
    "apply": "Mask a database that is already a copy, in its place.",
    "check": "Compare policy, lock file and database: exit 3 and the list on drift.",
    "clone": "Clone a database into a masked replica.",
    "demo": "Make a small shop database, clone it masked, show both.",
    "init": "Draft a policy from a database's schema and a sample of its rows.",
    "install": "Install masked views in a source, and a role that can read nothing else.",
    "key": "Make a masking key.",
    "mask": "Mask a file.",
    "masks": "List the masks, or describe one.",
    "materialize": "Bring up to date what installed views show of masks that run in Python.",
    "names": "Make dictionaries of names.",
    "ner": "Replace names, places, dates and numbers in a text by tags, without any model.",
    "plan": "Show what a policy does to a database, and everything that stands against it.",
    "preview": "Show the first rows of a table as a clone would hold them.",
    "proxy": "Serve masked queries over PostgreSQL's protocol.",
    "refresh": "Keep a replica fresh: run a job of the policy, by hand or by its schedule.",
    "rollback": "Put the previous replica back in its place.",
    "runs": "List past runs with durations and rows.",
    "schema": "Print the JSON Schema of policies, for editors.",
    "sql": "Show what the proxy makes of a query.",
    "text": "Mask plain text by matchers, labels and masks; --explain shows what is found and why.",
    "uninstall": "Remove what install made, without a trace.",
    "user": "Add, remove and list the users of the proxy.",
    "value": "Mask values from standard input as a column's are masked.",
    "verify": "Compare a replica that is there with its source and its policy.",
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are used, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _SUMMARY[name]) for name in self.list_commands(ctx)])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="dbmask")
@click.option("--debug", is_flag=True, help="Show a traceback with an error. It may hold what messages leave out.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Make production data safe to use: masked clones, masked queries and masked files from one policy.

    Exit codes: 0 done, 1 the job failed, 2 wrong usage or policy, 3 a check found something.
    """
    ctx.obj = {"debug": debug}


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit."""
    argv = sys.argv[1:] if args is None else args
    sys.exit(run(argv))


def run(argv: list[str]) -> int:
    """Run the command line; return the exit code. Messages go to stderr."""
    debug = "--debug" in argv
    try:
        result: Any = cli.main(args=_with_command(argv), prog_name="dbmask", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DbmaskError as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        # Its text may quote data: only its type is shown.
        click.echo(
            f"Error: dbmask failed unexpectedly ({type(error).__name__}); run with --debug to see where", err=True
        )
        return 1


def _with_command(argv: list[str]) -> list[str]:
    """``--rules R ...`` without a command means ``mask --rules R ...``."""
    flat = argv[:1] and argv[0].split("=", 1)[0] in ("--rules", "--input", "--output")
    return ["mask", *argv] if flat else argv


def _interrupted() -> int:
    click.echo("Interrupted: nothing half-done was left.", err=True)
    return 1
