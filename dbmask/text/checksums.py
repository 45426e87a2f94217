"""The ``checksum`` matcher: numbers whose check digit is right."""

from __future__ import annotations

from collections.abc import Iterable

from dbmask.errors import BindError
from dbmask.masks.base import nearest
from dbmask.ner.numbers import number_kind, number_names, numbers
from dbmask.text.config import Checksum

__all__ = ["ChecksumLocator"]


class ChecksumLocator:
    """Finds numbers of one type. Raises BindError for a type that is unknown or has no check digit."""

    def __init__(self, rule: Checksum) -> None:
        kind = number_kind(rule.type)
        if kind is None:
            raise BindError(f"there is no checksum type {rule.type!r}", nearest(rule.type, number_names()))
        self._kind = kind
        self.gate = kind.gate

    def locate(self, text: str, plain: bytes) -> Iterable[tuple[int, int]]:
        """All numbers that check; digits of every script count."""
        return numbers(self._kind, plain.decode("ascii"))
