"""``dbmask masks``."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click

from dbmask.errors import UsageError
from dbmask.masks.base import Mask, nearest
from dbmask.registry import mask_class, mask_classes, mask_names

__all__ = ["command", "describe"]


@click.command("masks")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the masks, or describe one: its parameters and documented examples."""
    if name is None:
        width = max(map(len, mask_names()))
        for each in mask_names():
            click.echo(f"{each:{width}}  {_summary(mask_classes()[each])}")
        return
    cls = mask_class(name)
    if cls is None:
        hint = nearest(name, mask_names())
        raise UsageError(f"there is no mask {name!r}" + (f" ({hint})" if hint else ""))
    click.echo(describe(cls))


def _summary(cls: type[Mask]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def describe(cls: type[Mask]) -> str:
    """A mask's documentation, made from its class: what it does, parameters with defaults, examples."""
    lines = [cls.name, "", inspect.getdoc(cls) or "", "", "Parameters"]
    for item in dataclasses.fields(cls):
        default = "required" if _required(item) else f"default {_default(item)!r}"
        lines.append(f"  {item.name}: {item.type} ({default})")
    if cls.aliases:
        lines += ["", f"Also called {', '.join(cls.aliases)}"]
    if cls.cases:
        lines += ["", "Examples"]
    for case in cls.cases:
        params = f"  with {dict(case.params)}" if case.params else ""
        lines.append(f"  {case.given!r} -> {case.expected!r}{params}")
    return "\n".join(lines)


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
