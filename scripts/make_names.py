"""Make the tables of names in dbmask/masks/data from mimesis's lists, once: what they hold decides masked values.

Run it with mimesis installed, and only where masked names may change:

    python scripts/make_names.py

First names go by the gender that most languages' lists give them; those of both genders are left out. Names of two
other languages or more are known as well, though none is masked to them: ``Mary`` is in no English list. Czech surnames
come in pairs, masculine and feminine, at the same place in two lists; the feminine form is derived, and what is a
spelling without accents of another surname is left out.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path

import mimesis

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "dbmask" / "masks" / "data"
DATASETS = Path(mimesis.__file__).parent / "datasets"
LOCALES = ("en", "cs", "fr")
_NAME = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\Z")
_VOWELS = set("aeiouyáéíóúůýě")
_SYLLABIC = set("lr")
_ELSEWHERE = 2


def feminine(surname: str) -> str:
    """The feminine form of a Czech masculine surname.

    >>> [feminine(s) for s in ("Novák", "Svoboda", "Novotný", "Hájek", "Vaněk", "Němec", "Krejčí", "Švec")]
    ['Nováková', 'Svobodová', 'Novotná', 'Hájková', 'Vaňková', 'Němcová', 'Krejčí', 'Švecová']
    """
    if surname[-1] in "íů":
        return surname
    if surname[-1] == "ý":
        return surname[:-1] + "á"
    if surname[-1] in "aeoě":
        return surname[:-1] + "ová"
    stem, end = surname[:-2], surname[-2:]
    if _SYLLABIC.intersection(stem[1:].lower()) | _VOWELS.intersection(stem.lower()) and end in ("ek", "ec", "ěk"):
        soft = {"n": "ň", "d": "ď", "t": "ť"}.get(stem[-1], stem[-1]) if end == "ěk" else stem[-1]
        return f"{stem[:-1]}{soft}{end[-1]}ová"
    return surname + "ová"


def _clean(names: list[str]) -> set[str]:
    found = {n.replace("’", "'") for n in names if _NAME.match(n)}
    return {re.sub(r"(?<=')[a-z]", lambda m: m[0].upper(), n) if n.startswith("O'") else n for n in found}


def _bare(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))


@cache
def votes() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """For each first name in Latin letters: the languages whose lists have it for men, and for women."""
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for source in sorted(DATASETS.glob("*/person.json")):
        names = json.loads(source.read_text("utf-8")).get("names", {})
        for i, key in enumerate(("male", "female")):
            for name in _clean(names.get(key, [])):
                if max(name) < "\u0250":
                    found[name][i].add(source.parent.name.split("-")[0])
    return {name: (frozenset(men), frozenset(women)) for name, (men, women) in found.items()}


def gender(name: str) -> str:
    """What most languages' lists say: m, f, or n where they are at odds. English lists men among women."""
    men, women = votes()[name]
    return "m" if len(men) > len(women) else "f" if len(women) > len(men) else "n"


def tables(locale: str) -> dict[str, dict[str, list[str]]]:
    """First names by gender (m, f), further names known for theirs (known_m, known_f), and surnames (n, or m and f in pairs)."""
    person = json.loads((DATASETS / locale / "person.json").read_text("utf-8"))
    own = {name for names in person["names"].values() for name in _clean(names)}
    others = {name for name, (men, women) in votes().items() if name not in own and len(men | women) >= _ELSEWHERE}
    first = {g: sorted(n for n in own if gender(n) == g) for g in ("m", "f")}
    known = {f"known_{g}": sorted(n for n in others if gender(n) == g) for g in ("m", "f")}
    last = sorted(_clean(person["surnames"]))
    if locale != "cs":
        return {"first": {**first, **known}, "last": {"n": last}}
    accented = {_bare(s) for s in last if s != _bare(s)}
    last = [s for s in last if s[-1] not in "áiy" and s not in accented]
    pairs = {feminine(s): s for s in reversed(last)}  # two surnames with one feminine form: the first stays
    women_last = sorted(pairs, key=pairs.__getitem__)
    return {"first": {**first, **known}, "last": {"m": [pairs[s] for s in women_last], "f": women_last}}


def main() -> None:
    """Write the tables, and the notice that goes with them."""
    DATA.mkdir(exist_ok=True)
    for locale in LOCALES:
        lines = [
            f'  "{usage}": {{\n'
            + ",\n".join(f'    "{g}": {json.dumps(names, ensure_ascii=False)}' for g, names in groups.items())
            + "\n  }"
            for usage, groups in tables(locale).items()
        ]
        (DATA / f"names_{locale}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    licence = next(f for f in distribution("mimesis").files or () if f.name == "LICENSE")
    text = licence.read_text()
    notice = (
        f"The tables of names in dbmask/masks/data are made from those of mimesis {version('mimesis')},\n"
        f"which is distributed under this licence:\n\n{text.strip()}\n"
    )
    (DATA / "NOTICE").write_text(notice, "utf-8")
    (ROOT / "NOTICE").write_text(f"dbmask\n\n{notice}", "utf-8")


if __name__ == "__main__":
    main()
