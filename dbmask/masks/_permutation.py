"""A keyed permutation of exactly the integers 0 to n-1, in a fixed number of steps, that SQL can compute as well.

With a = isqrt(n), a number below a*a is a pair (left, right) of digits to the base a. Rounds add a keyed function of
one digit to the other, modulo a, in turn: a Feistel network over Z_a x Z_a (FE2 of Bellare, Ristenpart, Rogaway and
Stegers, "Format-Preserving Encryption", SAC 2009), and a bijection. The up to 2a numbers that are no such pair sit a
round out; each round ends with a rotation by n/8 + 1, so that others sit out the next. A keyed rotation comes first.

Nothing is walked or tried: each value costs ROUNDS + 1 hashes. The construction is no published standard; for a
domain of one radix and a million values or more, imitate uses FF1 instead.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import TYPE_CHECKING

from dbmask.keys import ColumnKey

if TYPE_CHECKING:
    from dbmask_sql.dialects import Dialect
    from dbmask_sql.dialects.base import E

__all__ = ["ROUNDS", "SQL_LIMIT", "Permutation", "permutation_sql"]

ROUNDS = 8
SQL_LIMIT = 2**63 - 2**60
"""The largest n whose intermediate results all fit a signed 64-bit integer."""

_WORD = 15  # hex digits of a PRF word, as dbmask_sql.dialects.base.WORD_DIGITS
_HALVES = 10**10
"""Added to a half, so that its decimal text has one length: halves are below isqrt(2**64) < 10**10."""
_MEMO = 1 << 16

_Draw = Callable[[int, int], int]


class Permutation:
    """The permutation of 0 to ``size``-1 under ``key``; ``tag``, of one length for all that share a key, tells permutations apart."""

    def __init__(self, key: ColumnKey, size: int, tag: str) -> None:
        self._size = size
        self._side = isqrt(size)
        self._square = self._side**2
        self._turn = size // 8 + 1
        self._draw = _short_draw(key, tag) if size <= 2**64 else _long_draw(key, tag, size)
        self._memos: list[dict[int, int]] = [{} for _ in range(ROUNDS)]
        self._shift = self._draw(ROUNDS, 0) % size

    def __call__(self, number: int) -> int:
        """Where ``number`` goes; both are from 0 to size-1."""
        side, square, size, turn = self._side, self._square, self._size, self._turn
        at = (number + self._shift) % size
        for i in range(ROUNDS):
            if at < square:
                left, right = divmod(at, side)
                if i & 1:
                    right = (right + self._step(i, left)) % side
                else:
                    left = (left + self._step(i, right)) % side
                at = left * side + right
            at = (at + turn) % size
        return at

    def _step(self, i: int, half: int) -> int:
        memo = self._memos[i]
        found = memo.get(half)
        if found is None:
            found = self._draw(i, half) % self._side
            if len(memo) < _MEMO:
                memo[half] = found
        return found


def _short_draw(key: ColumnKey, tag: str) -> _Draw:
    """60 bits from one SHA-256 over a text of fixed length: far more than the 32 bits of a side."""
    short = key.sub("permutation").short
    return lambda i, half: int(short(f"{tag}{i}{_HALVES + half}".encode()).hex()[:_WORD], 16)


def _long_draw(key: ColumnKey, tag: str, size: int) -> _Draw:
    """As many bits as a side has, and 64 more, so that the remainder is even to 2**-64."""
    width = (size.bit_length() + 7) // 8
    blocks = (width // 2 + 8) // 32 + 1
    prf = key.sub("long permutation").prf

    def draw(i: int, half: int) -> int:
        seed = prf(f"{tag}{i}".encode() + half.to_bytes(width, "big"))
        return int.from_bytes(b"".join(prf(seed + n.to_bytes(4, "big")) for n in range(blocks)), "big")

    return draw


def permutation_sql(number: E, size: E, side: E, tag: E, key: ColumnKey, dialect: Dialect) -> E | None:
    """The same in SQL, for sizes up to SQL_LIMIT. ``size``, ``side`` and ``tag`` are cheap to repeat: columns or literals.

    None where the dialect cannot name an intermediate value.
    """
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer

    name = key.sub("permutation").name

    def plus(a: E, b: E) -> E:
        return exp.Paren(this=exp.Add(this=a, expression=b))

    def draw(i: E, half: E) -> E:
        text = dialect.concat(tag.copy(), dialect.to_text(i), dialect.to_text(plus(integer(_HALVES), half)))
        return dialect.word(dialect.prf_short_hex(text, name), 0)

    def times_side(left: E) -> E:
        return exp.Paren(this=exp.Mul(this=left, expression=side.copy()))

    def turn(at: E, i: E) -> E:
        def half(which: str) -> E:
            both = {"left": dialect.quotient, "right": dialect.mod}
            return both[which](at.copy(), side.copy())

        def moved(which: str, by: str) -> E:
            return dialect.mod(plus(half(which), draw(i.copy(), half(by))), side.copy())

        odd = exp.If(
            this=exp.EQ(this=dialect.mod(i.copy(), 2), expression=integer(1)),
            true=plus(times_side(half("left")), moved("right", "left")),
        )
        pair = exp.Case(ifs=[odd], default=plus(times_side(moved("left", "right")), half("right")))
        inside = exp.LT(this=at.copy(), expression=times_side(side.copy()))
        by = plus(dialect.quotient(size.copy(), 8), integer(1))
        return dialect.mod(plus(exp.Case(ifs=[exp.If(this=inside, true=pair)], default=at.copy()), by), size.copy())

    shift = dialect.mod(draw(integer(ROUNDS), integer(0)), size.copy())
    return dialect.repeated(dialect.mod(plus(number, shift), size.copy()), ROUNDS, turn, "x")
