"""``engine: rules``: the presets that dbmask's own detectors can serve, without any model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from dbmask.errors import BindError
from dbmask.ner.entities import EntityLabel, Raw
from dbmask.ner.gazetteer import PLACES, entries, gazetteer
from dbmask.ner.language import LANGUAGES, language
from dbmask.ner.pipeline import detect
from dbmask.text.config import AiDetect

__all__ = ["SERVED", "RulesDetector"]

_Spans = Iterator[tuple[int, int]]
_Serve = Callable[[str, Sequence[Raw]], _Spans]

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_FAX = re.compile(r"\b(?:fax|télécopie)\w*[.: ]{0,3}\Z", re.I)
_BIRTH = re.compile(r"(?:\b(?:born|birth\w*|d\.?o\.?b|née?|naissance|naroz\w*|nar|narodil\w*)\b)[^.!?\n]{0,30}\Z", re.I)
_AGE = re.compile(
    r"\b\d{1,3}(?:\s?(?:-|–|to|and|až|à)\s?\d{1,3})?[\s-]?(?:years?|yrs?|y)[\s-]?(?:olds?\b|of age\b|/?o\b)"
    r"|\b\d{1,3}(?:\s?[-–]\s?\d{1,3})?\s(?:ans|let|roků)\b"
    r"|(?<=\baged )\d{1,3}(?:\s?[-–]\s?\d{1,3})?\b|(?<=\bage )\d{1,3}\b",
    re.I,
)
_GENDER = re.compile(
    r"\b(?:male|female|non-binary|nonbinary|transgender|genderfluid|intersex|man|woman|boy|girl|homme|femme|muž|žena)\b"
    r"|(?<=\d)[MF]\b|(?<=\by/o )[MF]\b|(?<=\bsex: )[MF]\b",
    re.I,
)
_USER = re.compile(r"(?<![\w@.])@[A-Za-z0-9_][A-Za-z0-9_.-]{1,38}[A-Za-z0-9_]")
_ZIP = re.compile(
    r"\b(?:GIR 0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\b"  # United Kingdom
    r"|(?<=\b[A-Z]{2} )\d{5}(?:-\d{4})?\b"  # United States, after the state
    r"|\b\d{5}-\d{4}\b|\b[1-7]\d{2} \d{2}\b(?! ?\d)"  # United States, Czechia
    r"|\b\d{5}(?= [A-ZÀ-Ž][a-zà-ž])"  # before a town
)
_ZIP_CUE = re.compile(
    r"(?:zip(?: ?code)?|postcode|postal code|code postal|psč)[:. ]{0,3}([A-Z0-9][A-Z0-9 -]{2,8}[A-Z0-9])\b", re.I
)
_STREET = re.compile(
    r"\b\d{1,5}[A-Za-z]?\s(?:[A-Z][\w'’.-]*\s){1,4}?"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Row|Way|Place|Pl|Boulevard|Blvd|Terrace|Close)\b\.?"
    r"(?:,?\s(?:Apt|Apartment|Flat|Unit|Suite|#)\.?\s?\w{1,6})?"
    r"|\b\d{1,4}(?:\s(?:bis|ter))?,?\s(?:rue|avenue|boulevard|place|chemin|allée|impasse|quai)\s(?:[\w'’-]+\s?){1,5}"
    r"|\b(?:P\.?\s?O\.?\s?Box)\s\d{1,6}\b"
    r"|(?<=\bulici )[A-ZÀ-Ž][\w-]*(?:\s[\w-]+){0,2}\s\d{1,4}(?:/\d{1,4})?\b"
)


def _kind(label: EntityLabel) -> _Serve:
    return lambda text, found: ((r.start, r.end) for r in found if r.label is label)


def _pattern(pattern: re.Pattern[str]) -> _Serve:
    return lambda text, found: (match.span() for match in pattern.finditer(text))


def _name(part: str) -> _Serve:
    def serve(text: str, found: Sequence[Raw]) -> _Spans:
        for raw in found:
            if raw.label is EntityLabel.PERSON:
                parts = _parts(text, raw)
                if part in parts:
                    yield parts[part]

    return serve


def _parts(text: str, raw: Raw) -> dict[str, tuple[int, int]]:
    """The parts of a person's name: title, first, last, initials, full (first to last)."""
    titles = _titles()
    words = [m for m in _WORD.finditer(text, raw.start, raw.end)]
    made: dict[str, tuple[int, int]] = {}
    leading = 0
    while leading < len(words) and words[leading][0].lower() in titles:
        leading += 1
    if leading:
        made["title"] = (words[0].start(), words[leading - 1].end())
    rest = words[leading:]
    initials = [m for m in rest if len(m[0].rstrip(".")) == 1]
    if initials:
        made["initials"] = (initials[0].start(), initials[-1].end())
    names = [m for m in rest if len(m[0].rstrip(".")) > 1]
    if not names:
        return made
    if len(names) == 1:
        alone = names[0]
        first = not leading and alone[0] in gazetteer(LANGUAGES).first
        made["first" if first else "last"] = alone.span()
        return made
    made["first"] = names[0].span()
    made["last"] = (names[_family(names)].start(), names[-1].end())
    made["full"] = (names[0].start(), names[-1].end())
    return made


def _family(names: Sequence[re.Match[str]]) -> int:
    """Where the family name begins: at the first particle (van der ...), else at the last word."""
    for i, match in enumerate(names[1:], 1):
        if match[0].islower():
            return i
    return len(names) - 1


def _titles() -> frozenset[str]:
    return frozenset(title for code in LANGUAGES for title in language(code).titles)


def _phones(fax: bool) -> _Serve:
    def serve(text: str, found: Sequence[Raw]) -> _Spans:
        for raw in found:
            if raw.label is EntityLabel.PHONE:
                is_fax = _FAX.search(text, max(0, raw.start - 16), raw.start) is not None
                if is_fax is fax:
                    yield raw.start, raw.end

    return serve


def _births(text: str, found: Sequence[Raw]) -> _Spans:
    after = 0
    for raw in found:
        if raw.label is EntityLabel.DATE:
            # The word "born" speaks of the first date behind it.
            if _BIRTH.search(text, max(after, raw.start - 60), raw.start):
                yield raw.start, raw.end
            after = raw.end


def _places(countries: bool) -> _Serve:
    def serve(text: str, found: Sequence[Raw]) -> _Spans:
        known = {name for code in LANGUAGES for name in entries(f"{PLACES[0]}_{code}")}
        for raw in found:
            if raw.label is EntityLabel.LOCATION and (text[raw.start : raw.end] in known) is countries:
                yield raw.start, raw.end

    return serve


def _zips(text: str, found: Sequence[Raw]) -> _Spans:
    yield from (match.span() for match in _ZIP.finditer(text))
    yield from (match.span(1) for match in _ZIP_CUE.finditer(text))


SERVED: dict[str, _Serve] = {
    "AGE": _pattern(_AGE),
    "CITY": _places(False),
    "COUNTRY": _places(True),
    "DATE_OF_BIRTH": _births,
    "EMAIL": _kind(EntityLabel.EMAIL),
    "FAX": _phones(True),
    "FIRST_NAME": _name("first"),
    "FULL_NAME": _name("full"),
    "GENDER": _pattern(_GENDER),
    "INITIAL_NAME": _name("initials"),
    "LAST_NAME": _name("last"),
    "ORGANIZATION": _kind(EntityLabel.ORGANISATION),
    "PHONE_NUMBER": _phones(False),
    "STREET_ADDRESS": _pattern(_STREET),
    "TITLE": _name("title"),
    "USERNAME": _pattern(_USER),
    "ZIPCODE": _zips,
}
"""The presets that rules can serve."""


class RulesDetector:
    """Serves ``ai_detect`` rules by detectors. Raises BindError for guidelines, and for presets that need a model."""

    def __init__(self, rules: Sequence[AiDetect]) -> None:
        self._serve: list[tuple[str, _Serve]] = []
        for rule in rules:
            preset = rule.annotation_config.use_preset
            if preset not in SERVED:
                what = f"the preset {preset}" if preset else "guidelines"
                raise BindError(
                    f"{rule.label}: {what} cannot be served by rules",
                    f"give an endpoint, or use one of {', '.join(sorted(SERVED))}",
                )
            self._serve.append((rule.label, SERVED[preset]))

    def __call__(self, texts: Sequence[str], labels: Sequence[str]) -> list[list[tuple[int, int, str]]]:
        """The entities of each text."""
        known: dict[str, list[tuple[int, int, str]]] = {}
        for text in dict.fromkeys(texts):
            found = detect(text)
            known[text] = sorted({(a, b, label) for label, serve in self._serve for a, b in serve(text, found)})
        return [known[text] for text in texts]
