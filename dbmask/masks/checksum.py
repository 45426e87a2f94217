"""checksum: another valid number of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._layout import Bijection, Stream
from dbmask.masks._letters import alphabet
from dbmask.masks._numbers import SHORT, number_names, validator
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises, nearest

__all__ = ["Checksum", "CreditCard"]

_CHECKS = 3
_DRAWN_MOST = 1_000
_TRIES = 20_000
"""More than any kind was seen to need; the rarest takes some hundred."""

_Step = Callable[[str, str, Sequence[str], int], str]


@dataclass(frozen=True, kw_only=True)
class Checksum(KeyedMask):
    """Another valid number of the kind that ``type`` names, in the same layout, with the first ``keep_prefix`` digits or letters kept.

    ``type`` is a short name (credit_card, iban, us_ssn, uk_nhs, nl_bsn, br_cpf, cz_rc ...) or python-stdnum's (cz.rc). Every
    result validates there. What is no valid number becomes another text of its layout that is none. ``unique`` makes
    different values different.
    """

    name: ClassVar[str] = "checksum"
    aliases: ClassVar[tuple[str, ...]] = ("set_checksum",)
    family: ClassVar[str] = "checksum"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("4111 1111 1111 1111", "8623 1845 4480 4497", {"type": "credit_card"}),
        Case("4111 1111 1111 1111", "4111 1150 6617 4909", {"type": "credit_card", "keep_prefix": 6, "unique": True}),
        Case("CZ65 0800 0000 1920 0014 5399", "CZ70 8412 1203 1616 9410 2938", {"type": "iban"}),
        Case("710319/2745", "864619/2621", {"type": "cz_rc", "unique": True}),
        Case("943 476 5919", "181 193 5818", {"type": "uk_nhs"}),
        Case("390.533.447-05", "272.523.423-95", {"type": "br_cpf"}),
        Case("1234-5678", "3227-9174", {"type": "credit_card"}),
        Case(None, None, {"type": "iban"}),
        Case("", "", {"type": "iban"}),
    )

    type: str
    keep_prefix: Annotated[int, Field(ge=0)] = 0
    unique: bool = False

    def __post_init__(self) -> None:
        if validator(self.type) is None:
            hint = nearest(self.type, number_names())
            raise ValueError(f"there is no kind of number {self.type!r}" + (f" ({hint})" if hint else ""))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"checksum makes text, and the column is {type_}", "use permute, fixed or null")
        valid = validator(self.type)
        if valid is None:
            raise BindError(f"there is no kind of number {self.type!r}")
        key = self.key(keys).sub(SHORT.get(self.type, self.type))
        promises = Promises(type=type_, injective=self.unique, total=False, keyed=True)
        return replace(self.bound(columns, promises, self._python(key, valid)), stays=self._stays)

    def _stays(self, value: Any) -> float:
        """At most: one in as many texts as are drawn from, check digits left out, for each text that is drawn before one fits."""
        sizes = [len(letters) for char in str(value) if (letters := alphabet(char)) and letters != char]
        drawn = sizes[self.keep_prefix :] if self.keep_prefix < len(sizes) else sizes
        return min(1.0, _DRAWN_MOST / prod(drawn[:-_CHECKS]))

    def _python(self, key: ColumnKey, valid: Callable[[str], bool]) -> Callable[[Any], str]:
        step = _bijective(key) if self.unique else _drawn(key)
        kind = SHORT.get(self.type, self.type)

        def masked(value: Any) -> str:
            text = str(value)
            layout = [alphabet(char) or char for char in text]
            places = [i for i, (char, letters) in enumerate(zip(text, layout, strict=True)) if char != letters]
            keep = self.keep_prefix if self.keep_prefix < len(places) else 0
            for i in places[:keep]:
                layout[i] = text[i]
            if not valid(text):
                return _search(text, layout, step, lambda made: None if valid(made) else made)
            checks = _check_places(kind, text, places)
            for i in places[: _rigid(kind, text, places)]:
                layout[i] = text[i]
            alphabets = [layout[i] for i in checks]
            fitting = _fitting(kind, text, checks, alphabets, valid)
            if len(fitting) != 1:  # the last character checks nothing
                return _search(
                    text,
                    layout,
                    step,
                    lambda made: (
                        made if valid(made) and len(_fitting(kind, made, checks, alphabets, valid)) != 1 else None
                    ),
                )
            # What is drawn must not depend on the check: numbers that differ elsewhere share one bijection.
            start = list(text)
            for i, letters in zip(checks, alphabets, strict=True):
                start[i] = layout[i] = letters[0]

            def checked(made: str) -> str | None:
                found = _fitting(kind, made, checks, alphabets, valid)
                return found[0] if len(found) == 1 else None

            return _search(text, layout, step, checked, "".join(start))

        return masked


def _search(
    text: str, layout: Sequence[str], step: _Step, accept: Callable[[str], str | None], start: str | None = None
) -> str:
    """The first text on the way from ``start`` that is accepted; ``text`` itself only where the way leads back to its start.

    A bijection's way does, and then its start is accepted.
    """
    first = made = text if start is None else start
    for turn in range(_TRIES):
        made = step(text, made, layout, turn)
        found = accept(made)
        if found is not None and (found != text or made == first):
            return found
    raise ValueError("no number of this kind was found")


def _bijective(key: ColumnKey) -> _Step:
    bijection = Bijection(key)
    return lambda text, made, layout, turn: bijection(made, layout)


def _drawn(key: ColumnKey) -> _Step:
    stream = Stream(key)

    def step(text: str, made: str, layout: Sequence[str], turn: int) -> str:
        words = stream.words(f"{turn}:{text}", len(text))
        return "".join([letters[word % len(letters)] for letters, word in zip(layout, words, strict=True)])

    return step


def _rigid(kind: str, text: str, places: Sequence[int]) -> int:
    """How many characters in front say what the number is: a country, or what all numbers of the kind begin with."""
    if len(places) > 2 and text[places[0]].isalpha() and text[places[1]].isalpha():
        return 2
    return 3 if kind == "ch.ssn" or (kind == "isbn" and len(places) == 13) else 0


def _check_places(kind: str, text: str, places: Sequence[int]) -> list[int]:
    """Where the check stands: the two digits after an IBAN's country, else the last character.

    It need not be the whole check: of a number with two check digits, one that fits is then met more rarely.
    """
    return list(places[2:4]) if kind.endswith("iban") else list(places[-1:])


def _fitting(
    kind: str, text: str, checks: Sequence[int], alphabets: Sequence[str], valid: Callable[[str], bool]
) -> list[str]:
    """The valid numbers that differ from ``text`` at most in the check, two at most."""
    made = list(text)
    found = []
    for check in _possible(kind, made, checks, alphabets):
        for i, char in zip(checks, check, strict=True):
            made[i] = char
        candidate = "".join(made)
        if valid(candidate):
            found.append(candidate)
            if len(found) == 2:
                break
    return found


def _possible(kind: str, made: list[str], checks: Sequence[int], alphabets: Sequence[str]) -> Iterable[str]:
    """What the check may be: computed where ISO 7064 or Luhn's formula gives it, else every character of its kind."""
    from stdnum import iban, luhn

    if len(checks) == 2:
        made[checks[0]] = made[checks[1]] = "0"
        return [iban.calc_check_digits(iban.compact("".join(made)))]
    if kind == "luhn":
        return [luhn.calc_check_digit("".join(c for c in made[: checks[0]] if c.isalnum()))]
    return alphabets[0]


@dataclass(frozen=True, kw_only=True)
class CreditCard(Checksum):
    """As ``checksum`` with ``type: credit_card``: another number with a valid Luhn digit."""

    name: ClassVar[str] = "credit_card"
    aliases: ClassVar[tuple[str, ...]] = ()
    cases: ClassVar[tuple[Case, ...]] = (
        Case("4111 1111 1111 1111", "8623 1845 4480 4497"),
        Case(None, None),
        Case("", ""),
    )

    type: str = "credit_card"
