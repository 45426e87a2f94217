"""last_name: another surname, in the feminine form where the language has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.keys import KeyRing
from dbmask.masks._name_mask import NameMask, bind_one
from dbmask.masks.base import Bound, Case, Columns

__all__ = ["LastName"]


@dataclass(frozen=True, kw_only=True)
class LastName(NameMask):
    """Another surname of the ``locale``, in the case pattern of the one that was there; never the same name.

    Czech surnames keep their gender, and both forms of one surname mask as a pair (Novák and Nováková). The column that
    ``gender`` names decides where it says something. ``names`` is a table of your own, made by ``dbmask names build``.
    """

    name: ClassVar[str] = "last_name"
    family: ClassVar[str] = "last_name"
    usages: ClassVar[tuple[str, ...]] = ("last",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Connor", "Terrell"),
        Case("connor", "terrell"),
        Case("Dvořák", "Jedlička", {"locale": "cs"}),
        Case("Dvořáková", "Jedličková", {"locale": "cs"}),
        Case(None, None),
        Case("", ""),
    )

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others, and where no names are short enough."""
        return bind_one(self, "last", columns, keys)
