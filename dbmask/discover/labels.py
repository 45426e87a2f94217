"""What a column's name says: words of English, Czech and French, as schemas write them."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["label_of_name", "words"]

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# The first that matches decides; the words of a row stand side by side in a name, in this order.
_RULES: tuple[tuple[str, str], ...] = (
    ("secret", r"pass(word|wd)?|pwd|heslo|secret|token|api ?key|salt|otp|pin( code)?|mot de passe"),
    ("email", r"e ?mails?( address)?|mail( address)?|courriel"),
    ("first_name", r"(first|given|fore|middle|christian) ?name|fname|jmeno|krestni jmeno|prenom"),
    ("last_name", r"(last|family|sur|maiden) ?name|lname|prijmeni|nom de famille"),
    (
        "full_name",
        r"(full|display|contact|customer|patient|employee|person|user real|card ?holder) ?name|cele jmeno|nom complet",
    ),
    ("phone", r"(tele|mobile ?|cell ?|home ?|work ?)?phone( ?(number|no))?|mobile|fax|telefon|tel|msisdn"),
    ("card", r"(credit|debit|payment)? ?card( ?(number|no|num))?|ccn|pan|cislo karty"),
    ("iban", r"iban|bank account|account ?(number|no)|cislo uctu"),
    (
        "national_id",
        r"ssn|social security( number)?|national id|tax ?id|passport( ?(number|no))?|rc|rodne cislo|birth number|nin|"
        r"nhs( number)?|pesel|driving licen[cs]e",
    ),
    (
        "birth",
        r"(date of |day of )?birth ?(date|day)?|born( on| at)?|dob|datum narozeni|narozen[ai]?|date de naissance|naissance",
    ),
    ("login", r"user ?name|login|nick(name)?|account name|handle"),
    ("ip", r"ip( ?address)?|remote addr|client ip"),
    ("address", r"address( ?line)?( ?\d)?|street( ?(address|name))?|ulice|adresa|rue|adresse"),
    (
        "place",
        r"city|town|village|mesto|obec|ville|post(al)? ?code|zip( ?code)?|psc|district|county|lat(itude)?|lon(gitude)?|lng",
    ),
    (
        "free_text",
        r"notes?|comments?|remarks?|description|message|body|text|poznamka|popis|biography|bio|subject|content",
    ),
    ("company", r"company( name)?|employer|firma|organi[sz]ation|societe"),
)
_COMPILED = tuple((label, re.compile(rf"(?:.+ )?(?:{pattern})(?: (?:hash|old|new|\d+))?")) for label, pattern in _RULES)


def words(name: str) -> str:
    """A name's words in lower case without accents, by underscores and capitals.

    >>> words("billingPostalCode"), words("Příjmení_2")
    ('billing postal code', 'prijmeni 2')
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join(part.lower() for part in _PARTS.findall(bare))


def label_of_name(name: str) -> str | None:
    """What a column of this name holds, or None where the name does not say."""
    said = words(name)
    return next((label for label, pattern in _COMPILED if pattern.fullmatch(said)), None)
