"""People, places and organisations by their capitals, and by what stands around them.

Runs of capitalised words (with initials, and particles such as "van der") are cut out of the text; then evidence says
what each is: titles, known names and places, words such as "University", the words before and after. A run of two
words or more that nothing explains is taken for a person: in doubt a name is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from dbmask.ner.entities import EntityLabel, Raw
from dbmask.ner.gazetteer import Gazetteer, gazetteer
from dbmask.ner.language import Language, language, words
from dbmask.ner.tokens import Token, tokens

__all__ = ["names"]

_PARTICLES = words(
    "de du des d' d’ la le van von der den ter ten zu zum zur af av di da dos das do del della delle y e i al el bin ibn ben"
    " bint ap ab ní nic ó"
)
_NO_PARTICLES = {"cs": words("do da e i y a la le")}
"""Prepositions of a language that are particles in names of others."""
_FORMS = re.compile(
    r",?[ \u00a0](?:Ltd|LLP|LLC|Inc|Plc|PLC|GmbH|AG|KG|Corp|Co|SA|SARL|SAS|SE|BV|NV|s\.\s?r\.\s?o|spol\.\s?s\s?r\.\s?o"
    r"|a\.\s?s|o\.\s?p\.\s?s|z\.\s?s)\b\.?"
)
_NEVER_JOIN = words("a u na and the for et")
_ARTICLES = words("a an the le la les un une des mes ses do so in on at as is it he we my no na po se si")
_FIELDS = words("iban")
_ROMAN = re.compile(r"[IVX]{1,5}\Z")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]|[A-Z]{2}")
_PERSON, _PLACE, _ORGANISATION = EntityLabel.PERSON, EntityLabel.LOCATION, EntityLabel.ORGANISATION


class _Words:
    """The word lists of several languages as one."""

    def __init__(self, known: Sequence[Language]) -> None:
        def joined(field: str) -> frozenset[str]:
            return frozenset().union(*(getattr(k, field) for k in known))

        self.common = joined("common") | joined("function")
        self.titles = joined("titles")
        self.roles = joined("roles")
        self.actions = joined("actions")
        self.places_after = joined("places_after")
        self.organisations = joined("organisations")
        self.joiners = joined("joiners")
        self.never = joined("never") | frozenset(
            m for k in known for m in (*k.months, *k.weekdays) if m not in ("may", "august", "april", "june")
        )
        self.abbreviations = frozenset(t for t in self.titles if t.endswith("."))
        codes = {k.code for k in known}
        self.elided = "fr" in codes
        self.head_follows = "cs" in codes
        self.particles = _PARTICLES.difference(*(_NO_PARTICLES.get(code, frozenset()) for code in codes))


@cache
def _words(codes: tuple[str, ...]) -> _Words:
    return _Words([language(code) for code in codes])


def names(text: str, codes: tuple[str, ...], taken: Sequence[tuple[int, int]] = ()) -> Iterator[Raw]:
    """Every person, place and organisation; ``taken`` are stretches that are something else already."""
    finder = _Finder(text, _words(codes), gazetteer(codes))
    yield from finder.find(taken)


class _Finder:
    """One search of one text."""

    def __init__(self, text: str, known: _Words, lists: Gazetteer) -> None:
        self.text = text
        self.words = known
        self.lists = lists
        self.tokens = tokens(text, known.abbreviations, known.elided)

    def find(self, taken: Sequence[tuple[int, int]]) -> Iterator[Raw]:
        """Every finding, from left to right."""
        blocked = self._blocked(taken)
        at = 0
        while at < len(self.tokens):
            if blocked[at] or not self._starts(at):
                at += 1
                continue
            end = self._run(at, blocked)
            yield from self._label(at, end)
            at = max(end, at + 1)

    def _blocked(self, taken: Sequence[tuple[int, int]]) -> list[bool]:
        made, spans, at = [], sorted(taken), 0
        for token in self.tokens:
            while at < len(spans) and spans[at][1] <= token.start:
                at += 1
            made.append(at < len(spans) and spans[at][0] < token.end)
        return made

    # -- runs ----------------------------------------------------------------------------------------------------

    def _starts(self, at: int) -> bool:
        token = self.tokens[at]
        if token.kind != "word":
            return False
        if token.capital:
            return True
        # "prof. Novák", "sister Mary", "al-Rashid": a lower-case title or particle with a name behind it.
        following = self._after(at)
        return following is not None and following.capital and self._is_title(token)

    def _is_title(self, token: Token) -> bool:
        return token.lower in self.words.titles or (token.dotted and f"{token.lower}." in self.words.titles)

    def _after(self, at: int) -> Token | None:
        """The next token but a dot that belongs to this one."""
        to = at + 1
        if to < len(self.tokens) and self.tokens[at].dotted and self.tokens[to].text == ".":
            to += 1
        return self.tokens[to] if to < len(self.tokens) else None

    def _run(self, at: int, blocked: list[bool]) -> int:
        """The token behind the run of capitalised words that begins at ``at``."""
        end = at + 1
        while end < len(self.tokens) and not blocked[end]:
            step = self._joins(at, end)
            if step == 0:
                break
            end += step
        return end

    def _joins(self, first: int, at: int) -> int:
        """How many tokens from ``at`` on belong to the run that began at ``first``; 0 where it ends."""
        here, before = self.tokens[at], self.tokens[at - 1]
        gap = self.text[before.end : here.start]
        if here.text == "." and gap == "":
            # The dot of an initial or of a title; any other ends a sentence.
            closes = len(before.text) == 1 or before.lower in ("st", "ste") or self._is_title(before)
            return 1 if closes and (self._capital_at(at + 1) or self._pair_at(at + 1)) else 0
        if here.lower in ("'s", "’s"):
            return 1 if self._organisation_in(at + 1, at + 2) and self._capital_at(at + 1) else 0
        if gap not in (" ", "", "\u00a0") or (gap == "" and before.text != "." and before.text[-1] not in "'’"):
            return 0
        if here.capital:
            return 0 if here.opens and before.kind != "word" and before.text != "." else 1
        if here.text == "&" or self._pair_at(at):
            return 1 if self._capital_at(at + 1) else 0
        linking = self.words.particles
        if self._organisation_in(first, at):
            linking = linking | self.words.joiners - _NEVER_JOIN
        for size in (1, 2, 3):
            if at + size > len(self.tokens) or self.tokens[at + size - 1].lower not in linking:
                return 0
            if self._capital_at(at + size):
                return size
        return 0

    def _pair_at(self, at: int) -> bool:
        """Whether "and" stands at ``at`` between two titles: Mr and Mrs, M. et Mme."""
        if not 0 < at < len(self.tokens) - 1 or self.tokens[at].lower not in ("and", "et", "a"):
            return False
        before = self.tokens[at - 2] if self.tokens[at - 1].text == "." else self.tokens[at - 1]
        return self._is_title(before) and self._is_title(self.tokens[at + 1])

    def _capital_at(self, at: int) -> bool:
        return at < len(self.tokens) and self.tokens[at].capital

    def _organisation_in(self, start: int, end: int) -> bool:
        return any(t.lower.split("-")[0] in self.words.organisations for t in self.tokens[start:end])

    # -- labels --------------------------------------------------------------------------------------------------

    def _label(self, start: int, end: int) -> Iterator[Raw]:
        start = self._without_opening(start, end)
        start, end = self._without_function_words(start, end)
        if start >= end:
            return
        cut = self._cut(start, end)
        if cut:
            yield from self._label(start, cut)
            yield from self._label(cut, end)
            return
        organisation = self._organisation(start, end)
        if organisation is not None:
            yield organisation
            return
        place = self._place(start, end)
        if place is not None:
            first, last = place
            yield from self._label(start, first) if start < first else ()
            yield self._raw(first, last, _PLACE, 0.85, "gazetteer")
            yield from self._label(last, end) if last < end else ()
            return
        yield from self._person_or_place(start, end)

    def _cut(self, start: int, end: int) -> int:
        """Where one run is two: before a title in its middle, and before an organisation that a particle joined to a name."""
        for at in range(start + 1, end):
            token, before = self.tokens[at], self.tokens[at - 1]
            if not token.capital or before.text == "&":
                continue
            if (
                self._is_title(token)
                and not self._is_title(before)
                and before.text != "."
                and not self._pair_at(at - 1)
            ):
                return at
            joined = not before.capital and before.kind == "word" and before.text[0] not in "'’"
            if joined and self._organisation_in(at, at + 1) and not self._organisation_in(start, at):
                return at
        return 0

    def _without_opening(self, start: int, end: int) -> int:
        """Drop an ordinary word that has its capital from the sentence ("Nurse Quyen Pham"; "The Hague" stays)."""
        token = self.tokens[start]
        ordinary = token.lower in self.words.common or token.lower in self.words.roles
        if not token.opens or not ordinary or self._is_title(token) or self._known_place(start, end):
            return start
        if end - start > 1 and token.text in self.lists.first and token.lower not in _ARTICLES:
            return start  # "Will Zywiec", "May Okafor"
        start += 1
        while start < end and not self.tokens[start].capital:
            start += 1
        return start

    def _without_function_words(self, start: int, end: int) -> tuple[int, int]:
        """Drop months, weekdays and the like from either end, and particles that nothing follows."""
        while start < end and self._empty(self.tokens[start]):
            start += 1
        while start < end and (self._empty(self.tokens[end - 1]) or self._is_loose(self.tokens[end - 1])):
            end -= 1
        return start, end

    def _empty(self, token: Token) -> bool:
        never = token.lower in self.words.never and not self.lists.is_name(token.text)
        return never or token.kind != "word" or token.text == "I"

    def _is_loose(self, token: Token) -> bool:
        return not token.capital

    def _organisation(self, start: int, end: int) -> Raw | None:
        form = _FORMS.match(self.text, self.tokens[end - 1].end)
        if form is None and end - start > 1:
            form = _FORMS.match(self.text, self.tokens[end - 2].end)
        if form is None and not self._organisation_in(start, end):
            return self._headed(start, end)
        if self._is_title(self.tokens[start]) and form is None:
            return None
        to = form.end() if form else self.tokens[end - 1].end
        return Raw(self.tokens[start].start, to, _ORGANISATION, 0.86, "names")

    def _headed(self, start: int, end: int) -> Raw | None:
        """A lower-case head beside the run: "nemocnice Motol", "clinique Sainte-Brigitte", "České spořitelně"."""
        head = self.tokens[end] if end < len(self.tokens) else None
        if self.words.head_follows and head is not None and end - start == 1 and head.lower in self.words.organisations:
            return Raw(self.tokens[start].start, self._name_behind(end), _ORGANISATION, 0.7, "names")
        if start == 0:
            return None
        head = self.tokens[start - 1]
        joined = self.text[head.end : self.tokens[start].start] == " "
        if joined and head.kind == "word" and head.lower in self.words.organisations and not head.capital:
            named = any(self.lists.is_name(t.text) for t in self.tokens[start:end])
            if not named:
                return Raw(head.start, self.tokens[end - 1].end, _ORGANISATION, 0.7, "names")
        return None

    def _name_behind(self, at: int) -> int:
        """Where the capitalised words behind token ``at`` end: "Fakultní nemocnice Motol"."""
        while self._capital_at(at + 1) and self.text[self.tokens[at].end : self.tokens[at + 1].start] == " ":
            at += 1
        return self.tokens[at].end

    def _known_place(self, start: int, end: int) -> int:
        """How many tokens from ``start`` on are a known place; 0 where none are."""
        for size in range(min(self.lists.longest, end - start), 0, -1):
            if self.text[self.tokens[start].start : self.tokens[start + size - 1].end] in self.lists.places:
                return size
        return 0

    def _place(self, start: int, end: int) -> tuple[int, int] | None:
        """A known place in the run; within a name ("Jack London") only where it is the whole run."""
        whole = self._known_place(start, end)
        if whole == end - start:
            return start, end
        if self._is_title(self.tokens[start]):
            return None
        if whole and end - start - whole == 1 and self.tokens[end - 1].shouted:
            return start, start + whole
        return None

    def _person_or_place(self, start: int, end: int) -> Iterator[Raw]:
        run = self.tokens[start:end]
        capitals = [t for t in run if t.capital]
        titled = self._is_title(run[0])
        known = [t for t in capitals if self.lists.is_name(t.text) and t.lower not in self.words.common]
        if titled and len(capitals) == 1 and not run[-1].text.isupper():
            return  # a title alone
        if titled:
            yield self._raw(start, end, _PERSON, 0.95, "names")
        elif len(capitals) > 1 and all(t.shouted for t in capitals):
            yield from self._shouted(start, end)
        elif len(capitals) > 1:
            yield self._raw(start, end, _PERSON, 0.9 if known else 0.65, "gazetteer" if known else "names")
        else:
            yield from self._single(start, end, bool(known))

    def _shouted(self, start: int, end: int) -> Iterator[Raw]:
        """Known names in a line of capitals, where nothing else tells a name from a heading."""
        first = start
        for at in range(start, end + 1):
            if at < end and self.lists.is_name(self.tokens[at].text) and self.tokens[at].lower not in self.words.common:
                continue
            if first < at:
                yield self._raw(first, at, _PERSON, 0.6, "gazetteer")
            first = at + 1

    def _single(self, start: int, end: int, known: bool) -> Iterator[Raw]:
        """One capitalised word: what it is depends on its surroundings."""
        token = self.tokens[start]
        before, after = self._word_before(start), self._after(end - 1)
        if token.shouted or len(token.text) == 1 or _ROMAN.match(token.text):
            if known and token.shouted and len(token.text) > 3 and token.lower not in _FIELDS:
                yield self._raw(start, end, _PERSON, 0.6, "gazetteer")
            return
        acts = after is not None and after.lower in self.words.actions
        if token.opens and token.lower in self.words.common:
            return
        if known:
            yield self._raw(start, end, _PERSON, 0.85, "gazetteer")
        elif before in self.words.roles:
            yield self._raw(start, end, _PERSON, 0.75, "names")
        elif before in self.words.places_after and not token.opens:
            yield self._raw(start, end, _PLACE, 0.6, "names")
        elif token.opens:
            if acts or (after is not None and after.text == "," and self._alone(start)):
                yield self._raw(start, end, _PERSON, 0.6, "names")
        elif not self._technical(start):
            yield self._raw(start, end, _PERSON, 0.5, "names")

    def _technical(self, at: int) -> bool:
        """Whether a word looks like a name of a thing: capitals inside (PostgreSQL), or a number at its end (SpO2)."""
        token = self.tokens[at]
        numbered = at + 1 < len(self.tokens) and self.tokens[at + 1].kind == "number"
        if numbered and self.tokens[at + 1].start == token.end:
            return True
        return _INNER_CAPITAL.search(token.text) is not None and not token.lower.startswith(
            ("mc", "mac", "o'", "d'", "de")
        )

    def _alone(self, at: int) -> bool:
        return at == 0 or self.tokens[at - 1].kind == "line"

    def _word_before(self, at: int) -> str:
        """The word before, over a comma or colon."""
        at -= 1
        while at >= 0 and self.tokens[at].text in (",", ":"):
            at -= 1
        return self.tokens[at].lower if at >= 0 else ""

    def _raw(self, start: int, end: int, label: EntityLabel, score: float, detector: str) -> Raw:
        return Raw(self.tokens[start].start, self.tokens[end - 1].end, label, score, detector)
