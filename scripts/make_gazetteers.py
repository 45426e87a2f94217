"""Write the lists of towns in ``dbmask/ner/data`` from mimesis' lists (MIT licence, see dbmask/ner/data/NOTICE).

The files are part of the package and frozen: an upgrade of mimesis changes nothing until this script is run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "dbmask" / "ner" / "data"


def flat(value: Any) -> Iterable[str]:
    """Every text in nested lists and mappings."""
    if isinstance(value, str):
        yield value
    else:
        for item in value.values() if isinstance(value, dict) else value:
            yield from flat(item)


def write(name: str, words: Iterable[str]) -> None:
    """One word a line, sorted; single letters are no names."""
    found = sorted({w.strip() for w in words if len(w.strip()) > 1})
    (DATA / f"{name}.txt").write_text("\n".join([*found, ""]), "utf-8")


def main() -> None:
    """Write the towns of each language."""
    sets = files("mimesis") / "datasets"
    for language in ("en", "fr", "cs"):
        address = json.loads((sets / language / "address.json").read_text("utf-8"))
        write(f"cities_{language}", flat(address["city"]))


if __name__ == "__main__":
    main()
