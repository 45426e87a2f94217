"""Numbers with a check digit in running text: candidates cut along their groups, validated by python-stdnum.

A candidate is made of whole groups of digits (or of letters and digits, for kinds that have letters) with one space
or hyphen between; it never begins or ends inside an unbroken run of digits. Longer ones are tried first, so that a
number beside another does not hide it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from dbmask.masks._numbers import SHORT, validator
from dbmask.masks._numbers import number_names as all_names

__all__ = ["NumberKind", "number_kind", "number_names", "numbers"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_CHECK_DIGIT = _names(
    "ad.nrt ar.dni at.businessid at.postleitzahl bic cr.cpf cr.cpj cr.cr de.handelsregisternummer do.ncf dz.nif eg.tn "
    "es.cae es.postal_code eu.excise eu.nace fi.associationid fo.vn fr.accise gs1_128 id.nik imsi is_.vsk isil iso9362 "
    "isrc ke.pin li.peid mac my.nric nl.brin nl.postcode pk.cnic se.postnummer sm.coe tn.mf us.atin us.ein us.itin "
    "us.ptin us.tin"
)

_LENGTHS = {
    "credit_card": (13, 19),
    "iban": (15, 34),
    "cz.rc": (9, 10),
    "sk.rc": (9, 10),
    "cz.dic": (8, 10),
    "gb.nhs": (10, 10),
    "us.npi": (10, 10),
    "us.ssn": (9, 9),
    "us.rtn": (9, 9),
    "nl.bsn": (8, 9),
    "br.cpf": (11, 11),
    "br.cnpj": (14, 14),
    "ch.ssn": (13, 13),
    "fr.nir": (15, 15),
    "fr.siren": (9, 9),
    "fr.siret": (14, 14),
    "de.idnr": (11, 11),
    "pl.pesel": (11, 11),
    "ca.sin": (9, 9),
    "imei": (14, 16),
    "isbn": (10, 13),
    "lei": (20, 20),
    "isin": (12, 12),
    "es.dni": (9, 9),
    "es.nie": (9, 9),
    "it.codicefiscale": (11, 16),
    "luhn": (2, 34),
}
_ANY_LENGTH = (5, 34)
_LETTERS = _names(
    "al.nipt at.uid be.iban be.vat bg.vat bitcoin br.cnpj by.unp ca.bn cfi ch.uid ch.vat cl.rut cn.uscc cusip "
    "cy.vat cz.dic de.vat de.wkn dk.cvr ee.kmkr es.cif es.cups es.dni es.iban es.nie es.nif es.referenciacatastral "
    "eu.at_02 eu.banknote eu.eic eu.oss eu.vat fi.alv fi.hetu figi fr.nir fr.rcs fr.tva gb.sedol gb.upn gb.vat "
    "gh.tin gr.vat grid gt.nit hr.oib hu.anum iban ie.pps ie.vat imo in_.epic in_.gstin in_.pan isan isbn isin ismn "
    "isni issn iso11649 iso6346 it.aic it.codicefiscale it.iva lei lt.pvm lu.tva lv.pvn me.iban meid mk.edb mt.vat "
    "mx.curp mx.rfc nl.btw nl.identiteitskaartnummer no.iban no.mva nz.ird orcid pl.nip pt.cc pt.nif ro.cf ro.cui "
    "se.vat sg.uen si.ddv sk.dph sn.ninea sv.nit uy.rut vatin ve.rif"
)
"""Kinds that hold letters."""

_SEPARATORS = {
    "at.tin": " -/",
    "be.nn": " .-",
    "br.cnpj": " ./-",
    "br.cpf": " .-",
    "ch.ssn": " .-",
    "ch.uid": " .-",
    "cl.rut": " .-",
    "cz.rc": " /-",
    "es.dni": " .-",
    "es.nie": " .-",
    "fi.hetu": "-+",
    "nl.bsn": " .-",
    "no.kontonr": " .-",
    "se.personnummer": "-+",
    "sk.rc": " /-",
}
"""Beside one space or hyphen: what stands between the groups of some kinds."""


@dataclass(frozen=True)
class NumberKind:
    """One kind of number: how candidates look, and what validates one. ``gate`` is a pattern that every text with one matches."""

    name: str
    shortest: int
    longest: int
    letters: bool
    separators: str
    valid: Callable[[str], bool]
    luhn: bool = False

    @property
    def gate(self) -> str:
        """A pattern in RE2's and Python's syntax."""
        separators = re.escape(self.separators)
        if self.name == "iban":
            return rf"[A-Za-z]{{2}}[0-9]{{2}}(?:[{separators}]?[A-Za-z0-9]){{{self.shortest - 4}}}"
        # With letters, at least two digits are left.
        char, least = ("[A-Za-z0-9]", self.shortest) if self.letters else ("[0-9]", self.shortest)
        return rf"{char}(?:[{separators}]?{char}){{{max(least - 1, 1)}}}"


@cache
def number_names() -> tuple[str, ...]:
    """Every name that :func:`number_kind` may know: short ones, and python-stdnum's."""
    return tuple(name for name in all_names() if name not in _NO_CHECK_DIGIT)


@cache
def number_kind(name: str) -> NumberKind | None:
    """The kind of this name; None where there is none, or it has no check digit."""
    full = SHORT.get(name, name)
    valid = None if full in _NO_CHECK_DIGIT else validator(name)
    if valid is None:
        return None
    shortest, longest = _LENGTHS.get(name) or _LENGTHS.get(full) or _ANY_LENGTH
    return NumberKind(name, shortest, longest, full in _LETTERS, _SEPARATORS.get(full, " -"), valid, full == "luhn")


@cache
def _runs(separators: str, letters: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    char = "[A-Za-z0-9]" if letters else "[0-9]"
    return re.compile(rf"{char}+(?:[{re.escape(separators)}]{char}+)*"), re.compile(f"{char}+")


def numbers(kind: NumberKind, text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every number of ``kind`` in ``text``: the longest from each group on, so that they may overlap.

    ``text`` is ASCII where digits are to be found in other scripts too.
    """
    runs, groups = _runs(kind.separators, kind.letters)
    for run in runs.finditer(text):
        if run.end() - run.start() >= kind.shortest:
            found = [g.span() for g in groups.finditer(text, *run.span())]
            check = _Luhn(text, run.start(), run.end()).valid if kind.luhn else _whole(kind, text)
            for first, (start, _) in enumerate(found):
                end = _longest_from(kind, check, found, first)
                if end:
                    yield start, end


def _whole(kind: NumberKind, text: str) -> Callable[[int, int], bool]:
    def check(start: int, end: int) -> bool:
        candidate = text[start:end]
        return (not kind.letters or _plausible(kind, candidate)) and kind.valid(candidate)

    return check


class _Luhn:
    """Luhn sums of every stretch of a run of digit groups, from sums of its beginnings: each costs the same."""

    _DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

    def __init__(self, text: str, start: int, end: int) -> None:
        self._start = start
        # Where each character stands among the digits; and sums with even, and with odd, places doubled.
        self._digits = [0]
        even, odd = 0, 0
        self._even, self._odd = [0], [0]
        at = 0
        for char in text[start:end]:
            if char.isdigit():
                digit = ord(char) - 48
                doubled = self._DOUBLED[digit]
                even, odd = (even + doubled, odd + digit) if at % 2 == 0 else (even + digit, odd + doubled)
                at += 1
            self._digits.append(at)
            self._even.append(even)
            self._odd.append(odd)

    def valid(self, start: int, end: int) -> bool:
        """Whether the digits of text[start:end] check."""
        first, last = start - self._start, end - self._start
        # The last digit is not doubled, so those of the other parity are.
        sums = self._odd if self._digits[last] % 2 == 1 else self._even
        return (sums[last] - sums[first]) % 10 == 0


def _longest_from(
    kind: NumberKind, check: Callable[[int, int], bool], groups: list[tuple[int, int]], first: int
) -> int:
    """Where the longest number that begins with group ``first`` ends; 0 where none does."""
    length, ends = 0, []
    for at in range(first, len(groups)):
        start, end = groups[at]
        length += end - start
        if length > kind.longest:
            break
        if length >= kind.shortest:
            ends.append(end)
    begin = groups[first][0]
    return next((end for end in reversed(ends) if check(begin, end)), 0)


def _plausible(kind: NumberKind, candidate: str) -> bool:
    """Whether a candidate is worth validating; words of prose are not."""
    if kind.name == "iban":
        return candidate[:2].isalpha() and candidate[2:4].isdigit()
    return sum(c.isdigit() for c in candidate) >= 2
