"""A proposal as the text of a policy."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbmask.discover.propose import ColumnProposal, Proposal

__all__ = ["column_key", "draft_policy"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_WIDE = 90
_HEAD = """# A draft: read it and change it. `dbmask plan` shows what it does and what stands against it.
# Columns that refer to others follow them and need no line; what is not named is never copied.
version: 1
key: env:DBMASK_KEY
tables:
"""


def column_key(name: str) -> str:
    """A column's name as a policy writes it: quoted where it would be read as a pattern or as quoted itself."""
    return '"' + name.replace('"', '""') + '"' if re.search(r'[*?"]', name) else name


def draft_policy(proposal: Proposal) -> str:
    """The text of a policy (YAML) with a reason beside every line."""
    parts = [_HEAD]
    for name, columns in proposal.tables.items():
        rows = proposal.schema.tables[name].rows
        parts.append(f"  {_scalar(str(name))}:" + (f"  # about {rows:,} rows\n" if rows is not None else "\n"))
        lines = [_line(c) for c in columns]
        parts.append(
            "    columns:\n" + "".join(lines) if any(c.masks for c in columns) else "    columns: {}\n" + "".join(lines)
        )
    return "".join(parts)


def _line(column: ColumnProposal) -> str:
    key = _scalar(column_key(column.column.name))
    why = (
        column.reason
        if column.label in ("", "code", "unknown")
        else f"{column.label.replace('_', ' ')}: {column.reason}"
    )
    if column.mask is None:
        return f"      # {key}: no mask fits it ({why}): decide\n"
    flow = _flow(column.mask)
    if len(flow) > _WIDE:
        return f"{f'      {key}:':<48}  # {why}\n" + _block(column.mask)
    return f"{f'      {key}: {flow}':<48}  # {why}\n"


def _block(value: object) -> str:
    """A value in YAML's block style, as deep as a column's lines stand."""
    import yaml

    text = yaml.safe_dump(value, default_flow_style=None, sort_keys=False, allow_unicode=True, width=110)
    return textwrap.indent(text, " " * 8)


def _flow(value: object) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    """A text as YAML reads it back; JSON's quoting is YAML's."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    return text if plain else json.dumps(text, ensure_ascii=False)
