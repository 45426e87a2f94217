"""Feminine forms of Czech surnames, as far as a pair can be told from the two forms."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["feminine_forms", "partners"]


def feminine_forms(masculine: str) -> list[str]:
    """What the feminine form of an upper-case masculine surname may be, the likeliest first.

    >>> feminine_forms("NOVÁK"), feminine_forms("NOVOTNÝ"), feminine_forms("SVOBODA")[0], feminine_forms("HÁJEK")[0]
    (['NOVÁKOVÁ'], ['NOVOTNÁ'], 'SVOBODOVÁ', 'HÁJKOVÁ')
    """
    if masculine.endswith("Ý"):
        return [masculine[:-1] + "Á"]
    forms = []
    if masculine[-1:] in ("A", "O", "E", "Ě"):
        forms.append(masculine[:-1] + "OVÁ")
    full = masculine + "OVÁ"
    if len(masculine) > 3 and masculine[-2] in "EĚ" and masculine[-1] in "KCLR":
        # Hájek, Němec, Havel: the e of the last syllable goes, and a softened consonant keeps its mark (Daněk, Daňková).
        soft = (
            {"N": "Ň", "D": "Ď", "T": "Ť"}.get(masculine[-3], masculine[-3]) if masculine[-2] == "Ě" else masculine[-3]
        )
        short = masculine[:-3] + soft + masculine[-1] + "OVÁ"
        forms += [full, short] if masculine[-1] == "R" else [short, full]
    else:
        forms.append(full)
    return forms


def partners(names: Collection[str]) -> dict[str, str]:
    """Masculine to feminine form, for every upper-case surname of ``names`` whose feminine form is there too."""
    known = set(names)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(known):
        form = next((f for f in feminine_forms(name) if f in known and f not in taken and f != name), None)
        if form is not None:
            found[name] = form
            taken.add(form)
    return found
