"""HTML reports: one self-contained file, from templates. Knows nothing of what is reported.

``base.html`` is the page (style, light and dark, print), ``macros.html`` has badges, tables and SVG charts; a package's
own template extends the first and imports the second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dbmask.atomic import write_named

__all__ = ["figure", "numeric_columns", "render", "short", "write_page"]


def render(package: str, template: str, context: Mapping[str, Any]) -> str:
    """The page of ``package``'s own ``templates/template``, every string escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loader = ChoiceLoader([PackageLoader(package), PackageLoader("dbmask.report")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = figure
    environment.filters["short"] = short
    environment.filters["numeric_columns"] = numeric_columns
    return environment.get_template(template).render(context)


def figure(value: Any) -> str:
    """A number as people read it: 1,234,567 and 0.1234; other values as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    # A text that a macro made keeps its marks; every other one is escaped when it is shown.
    return f"{value:,.4g}" if isinstance(value, float) else value if isinstance(value, str) else str(value)


def short(value: int) -> str:
    """A count that fits above a bar: 9,999, 12.3k, 4.57M."""
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        # 999,500 is 1M: what rounds up to a thousand of a unit is one of the next.
        if value >= max(0.9995 * unit, 10_000):
            return f"{value / unit:.3g}{name}" if value < 999.5 * unit else f"{value // unit:,}{name}"
    return f"{value:,}"


def numeric_columns(rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Which columns of a table hold numbers, and nothing else but gaps."""
    return [
        all(c is None or (isinstance(c, int | float) and not isinstance(c, bool)) for c in column)
        and any(c is not None for c in column)
        for column in zip(*rows, strict=True)
    ]


def write_page(path: str | os.PathLike[str], page: str) -> None:
    """Write a page; it appears complete or not at all. Raises UsageError."""
    write_named(Path(path), page, 0o644)
