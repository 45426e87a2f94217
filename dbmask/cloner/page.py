"""A certificate as one page: the verdict first, nothing fetched, nothing run.

The page carries the document that it shows, as JSON that no browser runs. Rendering is a function of that document
alone, so that who checks a page renders it again and sees whether it shows what was signed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dbmask_sql.jcs import canonical_json

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["embedded", "render"]

_DATA = re.compile(r'<script type="application/json" id="certificate">(.*?)</script>', re.DOTALL)

_KINDS = {
    "structure": ("Structure", "Every table and column of the plan is there, and no other."),
    "rows": ("Rows", "As many rows as the source's snapshot has."),
    "unchanged": ("Values that stayed equal", "Row by row, no more than the mask leads one to expect."),
    "residue": ("Source values in the replica", "Values of masked columns, looked for in every column by keyed hash."),
    "foreign key": ("Foreign keys", "No row refers to one that is not there."),
}


def render(document: Mapping[str, Any]) -> str:
    """The page of a certificate's plain data, with or without its signature."""
    checks = list(document["checks"])
    shares = {c["subject"]: c for c in checks if c["kind"] == "unchanged"}
    tables = [
        {**t, "columns": [{**c, "share": shares.get(f"{t['table']}.{c['column']}")} for c in t["columns"]]}
        for t in document["tables"]
    ]
    return _template().render(
        c=document,
        tables=tables,
        rows=sum(int(t["rows"]) for t in document["tables"]),
        failed=[c for c in checks if not c["passed"]],
        groups=_grouped(checks),
        lists=_lists(document),
        embedded=canonical_json(dict(document)).replace("<", "\\u003c"),
    )


def _grouped(checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    order = list(_KINDS)
    place = {kind: i for i, kind in enumerate(order)}
    made = []
    by_kind = sorted(checks, key=lambda c: (place.get(c["kind"], len(order)), c["kind"]))
    for kind, group in groupby(by_kind, key=lambda c: str(c["kind"])):
        title, said = _KINDS.get(kind, (kind.capitalize(), ""))
        items = list(group)
        failed = sum(not c["passed"] for c in items)
        made.append({"title": title, "said": said, "checks": items, "failed": failed})
    return made


def _lists(document: Mapping[str, Any]) -> list[tuple[str, str, Sequence[str]]]:
    found = [
        ("Not looked at", "What no check of this run covers.", document["not_looked_at"]),
        ("Not in the replica", "What the source has and the replica does not.", document["left_out"]),
        (
            "Literals allowed in definitions",
            "Objects whose definitions hold values of masked columns, and which the policy allows by name.",
            document.get("literals", ()),
        ),
        ("Warnings", "Said before the run, and no fault of it.", document.get("warnings", ())),
    ]
    return [item for item in found if item[2]]


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    room = Environment(
        loader=PackageLoader("dbmask.cloner", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room.filters["number"] = lambda n: f"{n:,}"
    room.filters["share"] = lambda s: f"{s:.1%}"
    return room.get_template("certificate.html.j2")


def embedded(page: str) -> str | None:
    """The JSON text that a page carries; None where this is no such page."""
    found = _DATA.findall(page)
    return str(found[0]) if len(found) == 1 else None
