"""JSON canonicalization (RFC 8785): sorted keys, shortest numbers, no spaces."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["canonical_json"]


def canonical_json(value: Any) -> str:
    """The RFC 8785 text of a parsed JSON value.

    Raises ValueError for NaN and infinities, which JSON does not have.
    """
    if isinstance(value, dict):
        # RFC 8785, 3.2.3: keys are ordered by their UTF-16 code units.
        keys = sorted(value, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_string(k)}:{canonical_json(value[k])}" for k in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical_json(v) for v in value) + "]"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        # JSON numbers are doubles to RFC 8785; integers beyond 2**53 keep their digits so that they stay distinct.
        return str(value)
    return _number(float(value))


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(number: float) -> str:
    """ECMAScript's Number::toString, which RFC 8785 section 3.2.2.3 names."""
    if not math.isfinite(number):
        raise ValueError("JSON has no NaN or infinity")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole) if whole != "0" else -(len(fraction) - len(fraction.lstrip("0")))
    point = leading + (int(exponent) if exponent else 0)
    digits = digits.rstrip("0")
    n = len(digits)
    if n <= point <= 21:
        return sign + digits + "0" * (point - n)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = digits[0] + ("." + digits[1:] if n > 1 else "")
    return f"{sign}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
