"""The functions that :data:`dbmask_sql.dialects.sqlite.FUNCTIONS` names, for a SQLite connection: they hold the keys.

Standard library only. NULL in, NULL out. An unknown key raises: a keyed mask without its key must not give a value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import cache
from hashlib import sha256
from typing import Any, Protocol

from dbmask_sql.canonical import canonical_text, utf8_bytes
from dbmask_sql.casing import capitalize_words, lower, upper
from dbmask_sql.kinds import Kind
from dbmask_sql.numbers import exact, floor_to, plain_number
from dbmask_sql.patterns import drop_parts
from dbmask_sql.temporal import add_days, date_floor

__all__ = ["functions", "register"]

Function = Callable[..., Any]
_WORD = 15  # hex digits: dialects.base.WORD_DIGITS
_REMEMBERED = 10_000


class Connection(Protocol):
    """What is needed of sqlite3.Connection."""

    def create_function(self, name: str, narg: int, func: Function | None, /, *, deterministic: bool = False) -> None:
        """As in sqlite3."""
        ...

    def execute(self, sql: str, /) -> Any:
        """As in sqlite3."""
        ...


def _utf8(value: Any) -> bytes:
    """The bytes that are given, or the UTF-8 of a text or number."""
    return value if isinstance(value, bytes) else utf8_bytes(str(value))


def _from_utf16(codec: str) -> Function:
    """In a database that keeps text in UTF-16, the bytes of a text are UTF-16 too."""

    def utf8(value: Any) -> bytes:
        return _utf8(value.decode(codec, "surrogatepass") if isinstance(value, bytes) else value)

    return utf8


class _Key:
    """SHA-256 after the inner and after the outer pad, and the results of values that come again."""

    __slots__ = ("hits", "inner", "memo", "outer")

    def __init__(self, inner: bytes, outer: bytes) -> None:
        self.inner, self.outer = hashlib.sha256(inner), hashlib.sha256(outer)
        self.memo: dict[Any, str] | None = {}
        self.hits = 0

    def digits(self, value: Any, utf8: Function | None) -> str:
        """HMAC from copied states of the two pads: a third of the time of ``hmac``."""
        inner = self.inner.copy()
        inner.update(value if utf8 is None and type(value) is bytes else (utf8 or _utf8)(value))
        outer = self.outer.copy()
        outer.update(inner.digest())
        made = outer.hexdigest()
        if self.memo is not None and type(value) is bytes:  # 1 and 1.0 are one key of a dict, and two values
            if len(self.memo) < _REMEMBERED:
                self.memo[value] = made
            elif self.hits < _REMEMBERED:
                self.memo = None  # most values come once: looking for them would only cost
        return made


class _Keys(dict[str, _Key]):
    """By name, made when first asked for."""

    def __init__(self, pads: Mapping[str, tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._pads = pads

    def __missing__(self, name: str) -> _Key:
        made = self[name] = _Key(*self._pads[name])
        return made


def _prfs(pads: Mapping[str, tuple[bytes, bytes]], utf8: Function | None) -> dict[str, Function]:
    keys = _Keys(pads)
    plain: dict[str, tuple[Callable[[], hashlib._Hash], Callable[[], hashlib._Hash]]] = {}

    def prf(value: Any, name: str) -> str | None:
        # Of values that come once, as in digits, without a look at anything that can be known before: here is where the
        # time of a keyed copy goes.
        if type(value) is bytes and (known := plain.get(name)):
            inner, outer = known
            state = inner()
            state.update(value)
            made = outer()
            made.update(state.digest())
            return made.hexdigest()
        return None if value is None else remembered(value, keys[name], name)

    def remembered(value: Any, key: _Key, name: str) -> str:
        if key.memo is None:
            if utf8 is None:
                plain[name] = key.inner.copy, key.outer.copy
        elif type(value) is bytes and (found := key.memo.get(value)) is not None:
            key.hits += 1
            return found
        return key.digits(value, utf8)

    def prf_short(value: Any, name: str) -> str | None:
        if value is None:
            return None
        inner = keys[name].inner.copy()
        inner.update(value if utf8 is None and type(value) is bytes else (utf8 or _utf8)(value))
        return inner.hexdigest()

    def prf_word(value: Any, name: str, index: int) -> int | None:
        return _word(prf(value, name), index)

    return {"dbmask_prf": prf, "dbmask_prf_short": prf_short, "dbmask_prf_word": prf_word}


def _word(digits: str | None, index: int) -> int | None:
    return None if digits is None else int(digits[_WORD * index : _WORD * index + _WORD], 16)


_CANONICAL = {kind.value: canonical_text(kind) for kind in Kind}


def _canonical(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    try:
        return _CANONICAL[kind](value)
    except (ArithmeticError, ValueError, TypeError):
        return str(value)  # a column may hold anything in SQLite; what is no number stays distinct as text


def _repeat(value: str | None, count: int | None) -> str | None:
    return None if value is None or count is None else value * count


_compiled = cache(re.compile)


def _matches(value: Any, pattern: str) -> bool | None:
    return None if value is None else _compiled(pattern).fullmatch(value) is not None


def _contains(value: Any, pattern: str) -> bool | None:
    return None if value is None else _compiled(pattern).search(value) is not None


def _drop_parts(value: Any, count: int) -> str | None:
    return None if value is None else drop_parts(value, count)


def _replace_all(value: Any, pattern: str, new: str) -> str | None:
    return None if value is None else _compiled(pattern).sub(lambda _: new, value)


def _exact(value: Any) -> str | None:
    made = None if value is None else exact(value)
    return None if made is None else plain_number(made)


def _floor_to(value: str | None, step: str) -> str | None:
    return None if value is None else plain_number(floor_to(Decimal(value), Decimal(step)))


def _add(value: str | None, other: str) -> str | None:
    return None if value is None else plain_number(_WIDE.add(Decimal(value), Decimal(other)))


def _compare(value: str | None, other: str) -> int | None:
    return None if value is None else int(Decimal(value).compare(Decimal(other)))


_WIDE = Context(prec=120)
_CASES = {"upper": upper, "lower": lower, "words": capitalize_words}


def _case(value: Any, form: str) -> str | None:
    return None if value is None else _CASES[form](value)


def _date_floor(value: Any, part: str) -> Any:
    return None if value is None else date_floor(value, part)


def _add_days(value: Any, days: int | None) -> Any:
    return None if value is None or days is None else add_days(value, days)


def functions(pads: Mapping[str, tuple[bytes, bytes]], encoding: str = "UTF-8") -> dict[str, Function]:
    """The Python form of each function by its SQL name.

    ``pads`` are HMAC's (inner, outer) by key name; ``encoding`` is what ``PRAGMA encoding`` says.
    """
    utf8 = None if encoding == "UTF-8" else _from_utf16(encoding)

    def digest(value: Any, algo: str) -> str | None:
        return None if value is None else hashlib.new(algo, (utf8 or _utf8)(value)).hexdigest()

    def digest_word(value: Any) -> int | None:
        return None if value is None else int.from_bytes(sha256((utf8 or _utf8)(value)).digest()[:8], "big") >> 4

    return {
        **_prfs(pads, utf8),
        "dbmask_digest": digest,
        "dbmask_digest_word": digest_word,
        "dbmask_word": _word,
        "dbmask_canonical": _canonical,
        "dbmask_repeat": _repeat,
        "dbmask_matches": _matches,
        "dbmask_contains": _contains,
        "dbmask_drop_parts": _drop_parts,
        "dbmask_replace_all": _replace_all,
        "dbmask_exact": _exact,
        "dbmask_floor_to": _floor_to,
        "dbmask_add": _add,
        "dbmask_compare": _compare,
        "dbmask_case": _case,
        "dbmask_date_floor": _date_floor,
        "dbmask_add_days": _add_days,
    }


def register(connection: Connection, pads: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Offer the functions on a connection. ``pads`` is looked at when a key is first used, so that keys may be added to it later."""
    from dbmask_sql.dialects.sqlite import FUNCTIONS

    made = functions(pads, connection.execute("PRAGMA encoding").fetchone()[0])
    for name, arguments in FUNCTIONS.items():
        connection.create_function(name, arguments, made[name], deterministic=True)
