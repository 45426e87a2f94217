"""imitate: letters to letters, digits to digits, everything else as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from unicodedata import category

from dbmask.errors import BindError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._layout import Bijection, Stream
from dbmask.masks._letters import UPPER, alphabet
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import Kind

__all__ = ["Imitate", "ImitateUnique"]


@dataclass(frozen=True, kw_only=True)
class Imitate(KeyedMask):
    """Each letter becomes one of the same case and script, each digit a digit; the rest is layout and stays.

    ``uppercase``, ``lowercase`` and ``digits`` are alphabets to draw from instead. ``force_change`` lets no letter or digit
    stay. ``unique`` makes different values different: by FF1 (NIST SP 800-38G, AES-256) where all letters and digits are
    of one radix and there are a million values or more of the layout, else by a keyed permutation of mixed radix.
    """

    name: ClassVar[str] = "imitate"
    family: ClassVar[str] = "imitate"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("AC-891234", "BE-462973"),
        Case("Žofie Nováková", "Ĺlnxj Aenîjxué"),
        Case("Сара 12", "Няых 92"),
        Case("4B7", "2L9", {"force_change": True}),
        Case("ab-12", "xy-01", {"lowercase": "xyz", "digits": "01"}),
        Case("0123456789", "7927423644", {"unique": True}),
        Case("AC-8912", "OT-1265", {"unique": True}),
        Case("--", "--"),
        Case(None, None),
        Case("", ""),
    )

    uppercase: str | None = None
    lowercase: str | None = None
    digits: str | None = None
    force_change: bool = False
    unique: bool = False

    def __post_init__(self) -> None:
        least = 2 if self.force_change or self.unique else 1
        for name in ("uppercase", "lowercase", "digits"):
            given = getattr(self, name)
            if given is not None and (len(given) < least or len(set(given)) < len(given)):
                raise ValueError(f"{name} needs {least} characters or more, each once")
        if self.unique and self.force_change:
            raise ValueError("a bijection cannot force a change; leave out `unique` or `force_change`")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            hint = {Kind.INTEGER: "use permute", Kind.UUID: "use uuid", Kind.DATE: "use date_shift"}
            raise BindError(
                f"imitate makes text, and the column is {type_}", hint.get(type_.kind, "use noise, fixed or null")
            )
        key = self.key(keys)
        promises = Promises(type=type_, injective=self.unique, total=not self.unique, keyed=True)
        made = self.bound(columns, promises, self.bijection(key) if self.unique else self.function(key))
        return replace(made, stays=self._stays)

    def _stays(self, value: Any) -> float:
        """One in as many texts as the layout has; for a forced change none, but for texts without a letter or digit."""
        chance = 1.0
        for char in str(value):
            letters = self._alphabet(char) or char
            if self.force_change and letters != char and len(letters) > 1:
                return 0.0
            chance *= 1 / len(letters) if char in letters else 0.0
        return chance

    def _alphabet(self, char: str) -> str:
        kind = category(char)
        if kind in UPPER and self.uppercase is not None:
            return self.uppercase
        if kind == "Ll" and self.lowercase is not None:
            return self.lowercase
        if kind == "Nd" and self.digits is not None:
            return self.digits
        return alphabet(char)

    def function(self, key: ColumnKey) -> Callable[[Any], str]:
        """The mask of one text, without ``unique``."""
        stream = Stream(key)
        tables = _Tables(self._alphabet)
        forced = self.force_change

        def masked(value: Any) -> str:
            text = str(value)
            words = stream.words(text, len(text))
            if not forced:
                return "".join([t[w % len(t)] for t, w in zip(map(tables.__getitem__, text), words, strict=True)])
            return "".join([_other(c, tables[c], w) for c, w in zip(text, words, strict=True)])

        return masked

    def bijection(self, key: ColumnKey) -> Callable[[Any], str]:
        """The mask of one text, with ``unique``.

        The function raises ValueError where a letter is in no alphabet: younger than Unicode 3.2, or not in the given one.
        """
        tables, made = _Tables(self._alphabet), Bijection(key)

        def masked(value: Any) -> str:
            text = str(value)
            return made(text, [tables[char] for char in text])

        return masked


def _other(char: str, letters: str, word: int) -> str:
    """A character of ``letters``, and another one than ``char`` where there is one."""
    at = letters.find(char)
    if len(letters) == 1 or at < 0:
        return letters[word % len(letters)]
    return letters[(at + 1 + word % (len(letters) - 1)) % len(letters)]


@dataclass(frozen=True, kw_only=True)
class ImitateUnique(Imitate):
    """As ``imitate`` with ``unique: true``: different values become different ones of the same layout."""

    name: ClassVar[str] = "imitate_unique"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("0123456789", "7927423644"),
        Case("AC-8912", "OT-1265"),
        Case(None, None),
        Case("", ""),
    )

    unique: bool = True


class _Tables(dict[str, str]):
    """By character: the characters that may stand for it; for layout, itself."""

    def __init__(self, alphabet_of: Callable[[str], str]) -> None:
        super().__init__()
        self._alphabet_of = alphabet_of

    def __missing__(self, char: str) -> str:
        made = self[char] = self._alphabet_of(char) or char
        return made
