"""Lists of words for ``seed_files``: a column of a CSV file, or a list that comes with the package."""

from __future__ import annotations

from dbmask.errors import BindError
from dbmask.masks._lists import named_list, stand_in
from dbmask.masks.base import nearest
from dbmask.text.builtin import builtin_list, builtin_names

__all__ = ["read_seed"]


def read_seed(seed_file: str, column: str | None) -> tuple[tuple[str, ...], str]:
    """The distinct entries of a list, and a note for the plan where another list stands in for the one named.

    ``builtin:NAME`` knows lists of places beside those of names; a list of names to be found holds also those to which
    none is masked. Raises BindError where file or column is not there, or holds nothing.
    """
    kind, _, name = seed_file.partition(":")
    if kind == "builtin":
        found = builtin_list(name)
        if found is None:
            hint = nearest(name, builtin_names()) or f"there are: {', '.join(builtin_names())}"
            raise BindError(f"there is no built-in list {name!r}", hint)
        return found, ""
    values, note = named_list(seed_file, column)
    other = stand_in(seed_file, column)
    wider = builtin_list(other) if other else None
    return wider or tuple(dict.fromkeys(values)), note
