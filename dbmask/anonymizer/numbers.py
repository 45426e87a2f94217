"""What the anonymizer asks of a kind of birth number, whatever the country."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dbmask.anonymizer.ascii import Lines

__all__ = ["Batch", "Bools", "Days", "Numbers"]

Days = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


class Batch(Protocol):
    """Birth numbers, read. Days are counted from birthDayMin; -1 is no day."""

    lines: Lines
    real: Bools
    """Well formed, and a real day in some century, in the range or out of it."""
    alone: Days
    """The day that the number tells by itself: -1 where it is not real or has no day in the range."""
    guessed: Bools
    """Whether the century of ``alone`` is a guess."""

    def matches(self, days: Days) -> Bools:
        """Whether each number tells this very day (never for -1)."""
        ...

    def write(self, days: Days, changed: Bools) -> list[Any]:
        """The numbers where ``changed``, moved to ``days``; the given values elsewhere."""
        ...


class Numbers(Protocol):
    """A kind of birth number."""

    @property
    def apart(self) -> bool:
        """Whether numbers that move by themselves never become the same one."""
        ...

    def read(self, values: Sequence[Any]) -> Batch:
        """Read a batch of texts and nulls. Raises MaskError for other types."""
        ...
