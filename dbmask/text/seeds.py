"""Lists of words for ``seed_files``: a column of a CSV file, or a list that comes with the package."""

from __future__ import annotations

from pathlib import Path

from dbmask.errors import BindError
from dbmask.masks._lists import read_list
from dbmask.masks.base import nearest
from dbmask.text.builtin import builtin_list, builtin_names

__all__ = ["read_seed"]

_VENDOR = {
    ("DataMasque_firstNames_mixed.csv", "firstname-mixed"): "first_names",
    ("DataMasque_lastNames.csv", "lastnames"): "last_names",
}
"""Files that another tool brings with it; the built-in lists stand for them where no such file is there."""


def read_seed(seed_file: str, column: str | None) -> tuple[tuple[str, ...], str]:
    """The distinct entries of a list, and a note for the plan where another list stands in for the one named.

    Raises BindError where file or column is not there, or holds nothing.
    """
    kind, _, name = seed_file.partition(":")
    if kind == "builtin":
        return _builtin(name), ""
    path = Path(seed_file).expanduser()
    if not path.exists():
        stand_in = _VENDOR.get((path.name, column or ""))
        if stand_in is not None:
            return _builtin(stand_in), f"{path.name} is not there; builtin:{stand_in} stands in for it"
        raise BindError(f"the seed file {seed_file} is not there", "seed files are looked for beside the policy")
    return tuple(dict.fromkeys(read_list(path, column))), ""


def _builtin(name: str) -> tuple[str, ...]:
    found = builtin_list(name)
    if found is None:
        hint = nearest(name, builtin_names()) or f"there are: {', '.join(builtin_names())}"
        raise BindError(f"there is no built-in list {name!r}", hint)
    return found
