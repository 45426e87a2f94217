"""Kinds of numbers that carry their own check, by python-stdnum's names and short ones."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache

__all__ = ["SHORT", "number_names", "validator"]

SHORT = {
    "credit_card": "luhn",
    "br_cnpj": "br.cnpj",
    "br_cpf": "br.cpf",
    "ca_sin": "ca.sin",
    "ch_ahv": "ch.ssn",
    "cz_ico": "cz.dic",
    "cz_rc": "cz.rc",
    "de_idnr": "de.idnr",
    "es_dni": "es.dni",
    "es_nie": "es.nie",
    "fr_nir": "fr.nir",
    "fr_siren": "fr.siren",
    "fr_siret": "fr.siret",
    "gb_nhs": "gb.nhs",
    "it_codicefiscale": "it.codicefiscale",
    "nl_bsn": "nl.bsn",
    "pl_pesel": "pl.pesel",
    "se_personnummer": "se.personnummer",
    "sk_rc": "sk.rc",
    "uk_nhs": "gb.nhs",
    "us_npi": "us.npi",
    "us_routing": "us.rtn",
    "us_ssn": "us.ssn",
}
"""Short names of common kinds."""

_LENGTHS = {"credit_card": (12, 19)}
_GROUPED = str.maketrans("", "", " -./")
_TOOLS = frozenset({"exceptions", "numdb", "util"})


@cache
def number_names() -> tuple[str, ...]:
    """Every name that :func:`validator` knows."""
    import stdnum

    found = [m.name.removeprefix("stdnum.") for m in pkgutil.walk_packages(stdnum.__path__, "stdnum.") if not m.ispkg]
    return tuple(sorted({*SHORT, "us.npi", *(set(found) - _TOOLS)}))


@cache
def validator(name: str) -> Callable[[str], bool] | None:
    """Whether a text is a valid number of this kind, in any layout that python-stdnum reads; None for an unknown kind."""
    full = SHORT.get(name, name)
    if full == "us.npi":
        return _npi
    if full in _TOOLS or not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", full):
        return None
    try:
        module = importlib.import_module(f"stdnum.{full}")
    except ImportError:
        return None
    check: Callable[[str], bool] | None = getattr(module, "is_valid", None)
    if check is None:
        return None
    least, most = _LENGTHS.get(name, (1, 99))
    strict = check

    def valid(text: str) -> bool:
        # Some kinds read groups as people write them, and some do not.
        bare = text.translate(_GROUPED)
        return least <= len(bare) <= most and (strict(text) or strict(bare))

    return valid


def _npi(text: str) -> bool:
    """The National Provider Identifier: ten digits whose Luhn sum counts the prefix 80840 (45 CFR 162.406)."""
    from stdnum import luhn

    digits = re.sub(r"[ -]", "", text)
    return len(digits) == 10 and digits[0] in "12" and bool(luhn.is_valid("80840" + digits))
