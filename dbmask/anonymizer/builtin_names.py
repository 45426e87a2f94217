from __future__ import annotations

from dbmask.keys import ColumnKey

LOCALES = ("cs", "en", "fr")


def builtin_dictionary(locale: str, key: ColumnKey) -> dict[str, str]:
    raise NotImplementedError
