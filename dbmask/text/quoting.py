r"""``pattern`` in double quotes, as people write it, read literally.

In YAML ``"\b\d{5}\b"`` is no text at all (``\d`` is no escape of its), and ``"\bABC\b"`` is one with two backspaces in
it. Before a document is parsed, each double-quoted ``pattern`` with a single backslash in it is written in single
quotes, where backslashes are nothing but backslashes; one in which every backslash is doubled was meant for YAML and
stays.
"""

from __future__ import annotations

import re

__all__ = ["literal_patterns"]

_PATTERN = re.compile(
    r"""((?:^|[{,\s-])["']?pattern["']?[ \t]*:[ \t]+)"((?:[^"\\\n]|\\.)*)"(?=[ \t]*(?:[,}\]#\n]|\r|$))""", re.M
)
_DOUBLED = re.compile(r"(?:[^\\]|\\\\)*\Z")


def literal_patterns(text: str) -> tuple[str, tuple[int, ...]]:
    r"""A YAML text with such patterns requoted, and the lines (from 1) on which that was needed.

    >>> literal_patterns('pattern: "\\d"')
    ("pattern: '\\d'", (1,))
    """
    lines: list[int] = []

    def requoted(match: re.Match[str]) -> str:
        body = match[2]
        if "\\" not in body or _DOUBLED.match(body):
            return match[0]
        lines.append(text.count("\n", 0, match.start(2)) + 1)
        return match[1] + "'" + body.replace("'", "''") + "'"

    return _PATTERN.sub(requoted, text), tuple(lines)
