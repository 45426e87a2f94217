"""PostgreSQL's text of an array as a list: how arrays travel to databases that write them otherwise."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["from_array_text"]

_TOKEN = re.compile(r'\{|\}|,|"((?:[^"\\]|\\.)*)"|([^{},"]+)', re.S)
_BOUNDS = re.compile(r"(?:\[[-+0-9]+:[-+0-9]+\])+=")


def from_array_text(text: str) -> list[Any]:
    """The elements as texts, None for NULL, lists for inner dimensions. Raises ValueError where it is no array's text.

    >>> from_array_text('{a,"b ""c",NULL,"NULL"}'.replace('""', '\\\\"'))
    ['a', 'b "c', None, 'NULL']
    """
    bounds = _BOUNDS.match(text)
    stack: list[list[Any]] = [[]]
    at = bounds.end() if bounds else 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("not the text of an array")
        at = token.end()
        if token[0] == "{":
            inner: list[Any] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif token[0] == "}":
            stack.pop()
            if not stack:
                raise ValueError("not the text of an array")
        elif token[1] is not None:
            stack[-1].append(re.sub(r"\\(.)", r"\1", token[1], flags=re.S))
        elif token[2] is not None:
            stack[-1].append(None if token[2] == "NULL" else token[2])
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], list):
        raise ValueError("not the text of an array")
    made: list[Any] = stack[0][0]
    return made
