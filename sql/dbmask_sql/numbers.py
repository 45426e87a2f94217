"""Numbers in texts: which texts are numbers, their exact value, and how a number is written.

What is here in Python is in SQL ``Dialect.exact``, ``floor_to`` and ``exact_text``; SQLite calls these functions.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

__all__ = ["NUMBER", "exact", "floor_to", "plain_number"]

# Spaces around, a sign, and an exponent are allowed. The bounds keep every number below 10**17, which every database
# holds exactly with 20 decimals.
NUMBER = (
    " *[+-]?(?:[0-9]{1,17}(?:[.][0-9]{0,60})?|[.][0-9]{1,60}"
    "|[0-9]{1,3}(?:[.][0-9]{0,60})?[eE][+]?(?:0?[0-9]|1[0-4])"
    "|[0-9](?:[.][0-9]{0,60})?[eE][+]?1[56]"
    "|[0-9]{1,3}(?:[.][0-9]{0,60})?[eE]-[0-9]{1,2}) *"
)
_NUMBER = re.compile(NUMBER)
_EXACT = Context(prec=120)
_UNIT = Decimal("1e-20")


def exact(value: object) -> Decimal | None:
    """The exact value of a number or of a text that is one; None for all others (NaN, infinities, booleans)."""
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, bool):
        return None
    text = value if isinstance(value, str) else repr(value)
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text.strip(" ")).quantize(_UNIT, ROUND_HALF_UP, _EXACT)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``, exactly."""
    with localcontext(_EXACT):
        return value - ((value % step) + step) % step


def plain_number(value: Decimal) -> str:
    """A number in decimal, without exponent or trailing zeros; zero has no sign.

    >>> plain_number(Decimal("1.50E+2"))
    '150'
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
