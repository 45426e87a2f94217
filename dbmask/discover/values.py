"""What a column's values say: a share of a sample that has a form, or checks, or is a known name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

__all__ = ["holds_people", "label_of_values"]

_SHARE = 0.7
"""The share of the sample's different values that must agree: production data are not clean."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+\d[\d ()./-]{6,18}\d|\(\d{2,4}\)[ -]?\d[\d -]{4,12}\d|0\d{2,4}[ /-]\d[\d -]{4,12}\d")


def label_of_values(values: Sequence[str]) -> str | None:
    """What these values (different from each other, none empty) seem to hold, or None where nothing is recognised."""
    if not values:
        return None
    for label, test in _TESTS:
        if sum(map(test, values)) >= _SHARE * len(values):
            return label
    return None


def holds_people(values: Sequence[str]) -> bool:
    """Whether a good part of these values are first names or whole names of people."""
    return sum(_first(v) or _full(v) for v in values) >= 0.2 * max(len(values), 1)


def _card(text: str) -> bool:
    from stdnum import luhn

    digits = re.sub(r"[ -]", "", text)
    return 13 <= len(digits) <= 19 and digits.isascii() and digits.isdigit() and bool(luhn.is_valid(digits))


def _iban(text: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(text))


def _birth_number(text: str) -> bool:
    from stdnum.cz import rc

    return len(text) in (9, 10, 11) and bool(rc.is_valid(text))


def _ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=2)
def _names(usage: str) -> frozenset[str]:
    from dbmask.masks._names import builtin

    found: set[str] = set()
    for locale in ("en", "cs", "fr"):
        table = builtin(locale, usage)
        found.update(n.casefold() for groups in (table.groups, table.known) for names in groups.values() for n in names)
    return frozenset(found)


def _first(text: str) -> bool:
    return text.casefold() in _names("first")


def _last(text: str) -> bool:
    return text.casefold() in _names("last")


def _full(text: str) -> bool:
    parts = text.split()
    return 2 <= len(parts) <= 4 and any(map(_first, parts)) and (_last(parts[-1]) or _last(parts[0]))


_TESTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("email", lambda text: bool(_EMAIL.fullmatch(text))),
    ("iban", _iban),
    ("card", _card),
    ("birth_number", _birth_number),
    ("ip", _ip),
    ("phone", lambda text: bool(_PHONE.fullmatch(text))),
    ("first_name", _first),
    ("last_name", _last),
    ("full_name", _full),
)
