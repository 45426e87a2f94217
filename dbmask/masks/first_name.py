"""first_name: another first name, of the same gender where that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.keys import KeyRing
from dbmask.masks._name_mask import NameMask, bind_one
from dbmask.masks.base import Bound, Case, Columns
from dbmask.schema import ColumnType, Kind

__all__ = ["FirstName"]

_TEXT = ColumnType(Kind.TEXT, "text")


@dataclass(frozen=True, kw_only=True)
class FirstName(NameMask):
    """Another first name of the ``locale``, in the case pattern of the one that was there; never the same name.

    The gender is that of the column that ``gender`` names (m, f, male, female, muž, žena, homme, femme, 1, 2 ...), or
    else that of the name where the table knows it. ``names`` is a table of your own, made by ``dbmask names build``:
    frequent names then stand for frequent names.
    """

    name: ClassVar[str] = "first_name"
    family: ClassVar[str] = "first_name"
    usages: ClassVar[tuple[str, ...]] = ("first",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Sarah", "Agripina"),
        Case("SARAH", "AGRIPINA"),
        Case("Jan", "Eusebius", {"locale": "cs"}),
        Case("Kim", "Merlene", {"gender": "sex"}, row={"sex": "f"}, types={"sex": _TEXT}),
        Case(None, None),
        Case("", ""),
    )

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others, and where no names are short enough."""
        return bind_one(self, "first", columns, keys)
