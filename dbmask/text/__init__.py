"""Free text: parts of it found by matchers, given labels, and masked by label.

from dbmask.text import TextMasker

masker = TextMasker({"matchers": {...}, "masks": [...]}, key=key)
masker.mask("Patient Sarah arrived", row={"first_name": "Sarah"}).output
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.lazy import loader

if TYPE_CHECKING:
    from dbmask.text.masker import TextMasker
    from dbmask.text.result import TextResult
    from dbmask.text.spans import Span

__all__ = ["Span", "TextMasker", "TextResult"]

_WHERE = {"Span": "dbmask.text.spans", "TextMasker": "dbmask.text.masker", "TextResult": "dbmask.text.result"}


# Loaded on use: the registry imports dbmask.text.mask, which imports all but these.
__getattr__ = loader(__name__, _WHERE)


def __dir__() -> list[str]:
    return sorted(__all__)
