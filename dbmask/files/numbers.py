"""Numbers of JSON with the text that they were written in, so that ``1.50`` leaves as ``1.50``."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["NumberText", "as_number"]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z", re.ASCII)


class NumberText(float):
    """A number whose ``text`` is kept. It is a float to masks; ``str`` of it is the float's."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> NumberText:
        """From the number's text. Raises ValueError where it is none."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return NumberText, (self.text,)


def as_number(value: Any) -> Any:
    """A text that holds a number, as the float that it is; all else as it is."""
    if isinstance(value, str) and _NUMBER.match(value):
        return float(value)
    return value
