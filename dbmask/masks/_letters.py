"""Which characters may stand for which: alphabets of one script and one case, the same in every Python version.

ASCII letters stand for ASCII letters. Letters with accents come in small sets that a legacy character set holds whole
(ISO 8859-1 and -2), so that a masked text still fits a column in one of them; the letters of Russian and Greek are sets as
well. All others go by script and category as Unicode 3.2 has them, the version that Python keeps frozen.
"""

from __future__ import annotations

import string
from functools import cache
from unicodedata import category, ucd_3_2_0

__all__ = ["UPPER", "alphabet"]

UPPER = ("Lu", "Lt")
_ENOUGH = 10
_LAST = 0x2FFFF


def _encodable(codec: str) -> set[str]:
    made = set(bytes(range(0xA0, 0x100)).decode(codec))
    return {c for c in made if category(c) in ("Lu", "Ll") and len(c.upper()) == 1 == len(c.lower())}


@cache
def _sets() -> dict[str, str]:
    """The small sets, by each of their characters."""
    first, second = _encodable("iso8859-1"), _encodable("iso8859-2")
    russian = set("абвгдежзийклмнопрстуфхцчшщъыьэюяё")
    greek = {chr(c) for c in range(0x3B1, 0x3CA) if c != 0x3C2}
    accented = set("άέήίόύώ")
    lower_sets = [russian, greek, accented]
    groups = [first & second, first - second, second - first]
    groups += lower_sets + [{c.upper() for c in letters} for letters in lower_sets]
    made = {}
    for group in groups:
        for kind in ("Lu", "Ll"):
            letters = "".join(sorted(c for c in group if category(c) == kind))
            made.update(dict.fromkeys(letters, letters))
    for ascii_ in (string.ascii_uppercase, string.ascii_lowercase, string.digits):
        made.update(dict.fromkeys(ascii_, ascii_))
    return made


@cache
def _scripts() -> dict[str, str]:
    """All other letters of Unicode 3.2: by script and category, and those of small scripts by category."""
    taken = _sets()
    found: dict[tuple[str, str], list[str]] = {}
    for code in range(0x80, _LAST):
        char = chr(code)
        kind = ucd_3_2_0.category(char)
        if kind[0] == "L" and char not in taken:
            script = ucd_3_2_0.name(char, "").partition(" ")[0]
            found.setdefault((script, kind), []).append(char)
    groups: dict[tuple[str, str], list[str]] = {}
    for (script, kind), letters in found.items():
        groups.setdefault((script if len(letters) >= _ENOUGH else "", kind), []).extend(letters)
    made: dict[str, str] = {}
    for letters in groups.values():
        made.update(dict.fromkeys(letters, "".join(letters)))
    return made


def alphabet(char: str) -> str:
    """The characters that may stand for a letter or digit; empty for what is neither.

    A letter younger than Unicode 3.2 belongs to no alphabet and is not among those that stand for it: they are ASCII.
    """
    found = _sets().get(char)
    if found is not None:
        return found
    kind = category(char)
    if kind == "Nd":
        zero = ord(char) - ucd_3_2_0.decimal(char, 0) if ucd_3_2_0.category(char) == "Nd" else None
        return string.digits if zero is None else "".join(chr(zero + i) for i in range(10))
    if kind[0] != "L":
        return ""
    letters = _scripts().get(char, "")
    if len(letters) > 1:
        return letters
    return string.ascii_uppercase if kind in UPPER else string.ascii_lowercase
