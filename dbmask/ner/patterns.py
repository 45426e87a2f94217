"""Things that have a form of their own: addresses on the internet, telephone and account numbers, national IDs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from dbmask.ner.entities import EntityLabel, Raw
from dbmask.ner.numbers import NumberKind, number_kind, numbers

__all__ = ["forms"]

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){0,8}[\w-]{2,63}(?![\w@])")
_URL = re.compile(r"\b(?:https?|ftp)://[^\s<>\"'()\[\]]+|\bwww\.[^\s<>\"'()\[\]]+", re.I)
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+|00)?\(?\d{1,4}\)?(?:[ .\u00a0-]?\(?\d{2,4}\)?){1,5}(?:\s?(?:x|ext\.?|poste|linka)\s?\d{1,6})?(?![\w/-]|[.,:]\d)",
    re.I,
)
_PHONE_CUE = re.compile(
    r"(?:tel|phone|mobile|cell|call|fax|ring|dial|tél|téléphone|portable|appeler|mobil|telefon|volejte|číslo)\w*[.: ]{0,3}\Z",
    re.I,
)
_GROUPED = re.compile(r"\d[ .\u00a0-]\d")
_IDS = {
    "br.cpf": r"\d{3}\.\d{3}\.\d{3}-\d\d",
    "cz.rc": r"\d{6}/\d{3,4}",
    "fr.nir": r"[1-478][\d ABab]{12,20}",
    "gb.nhs": r"\d{3}[ -]\d{3}[ -]\d{4}",
    "pl.pesel": r"\d{11}",
    "us.ssn": r"\d{3}-\d\d-\d{4}",
}
"""National numbers, each in the layout that tells it from any other digits: many check by chance."""
_LAYOUTS = {name: re.compile(rf"(?<![\w.-])(?:{layout})(?![\w-])") for name, layout in _IDS.items()}
_CARD = re.compile(
    r"(?<![\d.])(?:\d{13,19}|\d{4}(?:[ \u00a0-]\d{4}){3}(?:[ \u00a0-]\d{1,3})?|\d{4}[ \u00a0-]\d{6}[ \u00a0-]\d{4,5})(?!\d)"
)


def forms(text: str) -> Iterator[Raw]:
    """Every finding; those that overlap are merged later."""
    for match in _EMAIL.finditer(text):
        yield Raw(match.start(), match.end(), EntityLabel.EMAIL, 0.99, "forms")
    for match in _URL.finditer(text):
        end = match.start() + len(match[0].rstrip(".,;:!?"))
        yield Raw(match.start(), end, EntityLabel.URL, 0.98, "forms")
    for pattern in (_IP4, _IP6):
        for match in pattern.finditer(text):
            if _is_ip(match[0]):
                yield Raw(match.start(), match.end(), EntityLabel.IP, 0.97, "forms")
    yield from _numbers(text)
    for match in _PHONE.finditer(text):
        if _is_phone(text, match):
            yield Raw(match.start(), match.end(), EntityLabel.PHONE, 0.7, "forms")


def _numbers(text: str) -> Iterator[Raw]:
    if not any(c.isdigit() for c in text):
        return
    for start, end in numbers(_kind("iban"), text):
        yield Raw(start, end, EntityLabel.IBAN, 0.99, "forms")
    for match in _CARD.finditer(text):
        if _kind("credit_card").valid(match[0].replace("\u00a0", " ")):
            yield Raw(match.start(), match.end(), EntityLabel.CREDIT_CARD, 0.96, "forms")
    for name, layout in _LAYOUTS.items():
        for match in layout.finditer(text):
            if _kind(name).valid(match[0]):
                yield Raw(match.start(), match.end(), EntityLabel.NATIONAL_ID, 0.94, "forms")


def _kind(name: str) -> NumberKind:
    found = number_kind(name)
    if found is None:
        raise LookupError(name)
    return found


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text != "::"


def _is_phone(text: str, match: re.Match[str]) -> bool:
    """Whether digits are a telephone number: by their prefix or groups, or by a word before them."""
    digits = sum(c.isdigit() for c in match[0])
    if not 7 <= digits <= 15:
        return _PHONE_CUE.search(text, max(0, match.start() - 14), match.start()) is not None and digits >= 5
    if match[0].startswith(("+", "00", "(")):
        return True
    if _PHONE_CUE.search(text, max(0, match.start() - 14), match.start()):
        return True
    return len(_GROUPED.findall(match[0])) >= 2 and digits >= 9
