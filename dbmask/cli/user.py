"""``dbmask user``."""

from __future__ import annotations

import sys

import click

__all__ = ["command"]

_users = click.option("--users", required=True, metavar="FILE", help="The proxy's users file.")


@click.group("user")
def command() -> None:
    """Add, remove and list the users of the proxy. Passwords come from a prompt or standard input."""


@command.command("add")
@click.argument("name")
@_users
def add(name: str, users: str) -> None:
    """Add NAME, or give it another password."""
    from dbmask.proxy.users import add_user

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    add_user(users, name, password)


@command.command("remove")
@click.argument("name")
@_users
def remove(name: str, users: str) -> None:
    """Remove NAME; open sessions stay until they end."""
    from dbmask.proxy.users import remove_user

    remove_user(users, name)


@command.command("list")
@_users
def show(users: str) -> None:
    """List the names."""
    from dbmask.proxy.users import read_users

    for name in read_users(users):
        click.echo(name)
