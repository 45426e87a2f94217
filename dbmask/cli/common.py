"""What commands share: options, policies with their keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from dbmask.errors import UsageError
from dbmask.keys import KeyRing, MasterKey
from dbmask.policy import Policy
from dbmask.policy.jobs import secret

__all__ = [
    "certificate_option",
    "database_url",
    "format_option",
    "key_option",
    "load_policy",
    "policy_argument",
    "quiet_option",
    "run_keys",
    "source_option",
    "subset_options",
]


policy_argument = click.argument("policy", type=click.Path(exists=True, dir_okay=False))


format_option = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")


def certificate_option(help_: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--certificate FILE``."""
    return click.option("--certificate", metavar="FILE", type=click.Path(dir_okay=False), help=help_)


def database_url(text: str) -> str:
    """A database's URL as it is, or what ``env:NAME`` or ``file:PATH`` holds, so that no password stands in a list of processes.

    Raises BadParameter, to which click adds the option's name.
    """
    try:
        return secret(text, "the URL")
    except UsageError as error:
        raise click.BadParameter(str(error)) from None


def source_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--source URL``."""
    return click.option(
        "--source",
        required=True,
        type=database_url,
        metavar="URL",
        help="The database to read: its URL, or env:NAME or file:PATH that holds it.",
    )(command)


def state_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--state URL``, as it is written: who hands it on to other processes must not put a password there."""
    return click.option(
        "--state", metavar="URL", help="The state database; SQLite in your state directory unless given."
    )(command)


def state_url(written: str | None) -> str:
    """The URL that ``--state`` stands for. Raises UsageError."""
    from dbmask.state import default_url

    return secret(written, "--state") if written else default_url()


def key_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--key-file FILE``."""
    return click.option(
        "--key-file",
        metavar="FILE",
        help="A file that holds the masking key; otherwise DBMASK_KEY or the policy's `key:`.",
    )(command)


def subset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--subset SHARE`` and ``--max-rows N``, as ``share`` and ``max_rows``."""
    command = click.option(
        "--max-rows",
        type=click.IntRange(min=0),
        metavar="N",
        help="For a quick trial: so many rows of each table, and those that they refer to.",
    )(command)
    return click.option(
        "--subset",
        "share",
        metavar="SHARE",
        help="About so much of each table, such as 5%, with every foreign key holding; before the policy's `subset:`.",
    )(command)


def run_keys(key_file: str | None) -> KeyRing:
    """The keys of a run without a policy: from ``key_file``, else DBMASK_KEY. Raises KeySourceError where there is none."""
    return KeyRing(MasterKey.load("env:DBMASK_KEY" if key_file is None else f"file:{key_file}"))


def load_policy(path: str, key_file: str | None) -> tuple[Policy, KeyRing]:
    """The policy and its keys. Raises PolicyError and KeySourceError."""
    policy = Policy.load(path)
    return policy, policy.keyring(key_file=key_file)
