"""The presets of ``ai_detect``: what each of 22 common labels means, with examples that draw its borders.

In an example the entity stands in ``[...]``; a second part says why it is one, or is none.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Preset"]

_Examples = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Preset:
    """Guidelines and examples of one preset; each example is (text, reason), the reason may be empty."""

    guidelines: tuple[str, ...]
    valid: _Examples = ()
    invalid: _Examples = ()


PRESETS: dict[str, Preset] = {
    "FIRST_NAME": Preset(
        ("A person's given name, alone", "Leave out titles, middle names and initials"),
        (("The essay by [Priya] Raman won", ""), ("[Ondřej] called back at noon", "A given name without a surname")),
        (("Approved by [K.] Osei", "An initial"), ("The [Ms.] signed", "A title")),
    ),
    "LAST_NAME": Preset(
        ("A person's family name, alone", "A compound family name is one entity", "Leave out titles and initials"),
        (("Mr [Okafor] chairs today", ""), ("Reviewed by Lena [von der Heide]", "The particles belong to the name")),
        (("[Lena] von der Heide", "A given name"),),
    ),
    "FULL_NAME": Preset(
        ("Given name and family name together, with middle names between them", "Leave out titles and initials"),
        (("We thank [Tomás Miguel Herrera] for his help", ""),),
        (("Dr. [Herrera] is out", "A family name alone"),),
    ),
    "INITIAL_NAME": Preset(
        ("One or more initials that stand for a person", "Leave out titles such as Mrs or Prof"),
        (("[T. M.] Herrera countersigned", ""), ("Noted by [jk]", "A clerk's initials")),
        (("Shipped to the [E.U.] in May", "No person"),),
    ),
    "TITLE": Preset(
        ("Honorifics and academic or professional titles before or after a name, with their dot",),
        (("[Prof.] Lindqvist lectures at ten", ""), ("Ask [Mrs] Danso", "")),
        (("The [professor] was late", "A noun, not a form of address"),),
    ),
    "AGE": Preset(
        ("The age of a person, or a range of ages, in numbers, with its unit where there is one",),
        (("A [62-year-old] man", ""), ("Volunteers between [18 and 25]", "A range")),
        (("The bridge is [80 years] old", "Not a person"), ("Care for the [aged]", "No number")),
    ),
    "DATE_OF_BIRTH": Preset(
        ("A date of which the text says that it is someone's birth",),
        (("Born on [3 March 1988] in Brno", ""), ("DoB [1988-03-03]", "")),
        (("Admitted on [3 March 2021]", "Another event"),),
    ),
    "NATIONALITY": Preset(
        ("Citizenship or national origin where it describes a person",),
        (("A [Kenyan] engineer", ""), ("She holds [Portuguese] citizenship", "")),
        (("We ate [Thai] food", "Not about a person"),),
    ),
    "GENDER": Preset(
        ("The sex or gender of a person, written out or as a letter", "Leave out pronouns"),
        (("Pt is a 54 y/o [F]", ""), ("They registered as [genderfluid]", "")),
        (("[She] was seen at nine", "A pronoun"),),
    ),
    "RACE": Preset(
        ("The racial or ethnic group that a person belongs to",),
        (("Described herself as [Māori]", ""), ("A [Hispanic] male", "")),
        (("A [white] blood cell count", "Not about a person's group"),),
    ),
    "EMAIL": Preset(
        ("E-mail addresses", "Also partial ones and those written to avoid detection"),
        (
            ("Write to [jo.tan+news@mail.example.org]", ""),
            ("[jo dot tan at example dot org] works too", "Written in words"),
        ),
    ),
    "FAX": Preset(
        ("A telephone number of which the text says that it is a fax",),
        (("Fax the form to [+44 20 7946 0018]", ""),),
        (("Ring [+44 20 7946 0018]", "A telephone"),),
    ),
    "PHONE_NUMBER": Preset(
        ("Telephone numbers in any form, with extensions", "Also the digits that are left of a partly hidden number"),
        (("Reach me on [020 7946 0018 ext 4]", ""), ("My number ends in xxx-xx-[0018]", "The visible digits only")),
        (("Fax [020 7946 0018]", "A fax number"), ("Dial [XXX-XXXX]", "A placeholder")),
    ),
    "USERNAME": Preset(
        ("Account names and handles on the internet",),
        (("He posts as [@night_heron]", ""), ("Log in as [mtan42]", "")),
        (("[Administrator] rights are needed", "A role"),),
    ),
    "STREET_ADDRESS": Preset(
        (
            "House number and street, with flat or unit",
            "Also post-office boxes and postal codes",
            "Leave out town, state and country",
        ),
        (
            ("Deliver to [7 Quayside Row, Flat 3], Leith [EH6 6QY]", "Two entities, the town is none"),
            ("Bydlí v ulici [Dlouhá 12]", ""),
        ),
        (("Parked in a side [street]", "No address"),),
    ),
    "CITY": Preset(
        ("Names of cities, towns and villages",),
        (("The train to [Ostrava] is late", ""),),
        (("They live in the [city]", "A noun, not a name"),),
    ),
    "COUNTRY": Preset(
        ("Names of countries, and their abbreviations",),
        (("Exported to [Ghana]", ""), ("Born in the [UAE]", "")),
        (("Made from [china]", "The material"),),
    ),
    "STATE": Preset(
        ("Names of states, provinces and territories, and their abbreviations",),
        (("Moved to [Queensland]", ""), ("Austin, [TX]", "")),
        (("In a stable [state]", "A noun, not a name"),),
    ),
    "ZIPCODE": Preset(
        ("Postal codes in any form, in an address or alone",),
        (("Postcode [EH6 6QY]", ""), ("Praha 1, [110 00]", "")),
        (("Invoice [11000]", "Another number"),),
    ),
    "JOB_TITLE": Preset(
        ("The particular position that a person holds",),
        (("Joined as [Deputy Head of Procurement]", ""),),
        (("She likes her [job]", "Not a position"), ("A caring [nurse]", "General, not a position held")),
    ),
    "ORGANIZATION": Preset(
        ("Names of particular organizations, with the parts that belong to the name (Ltd, University of)",),
        (("He studies at [Charles University]", ""), ("A cheque from [Harbour & Finch Ltd]", "")),
        (("She runs a [bank]", "No particular one"),),
    ),
    "MEDICAL_CONDITION": Preset(
        ("Diseases, injuries and diagnoses",),
        (("Known [asthma], no allergies", ""), ("Admitted with a [hip fracture]", "")),
        (("Given [ibuprofen]", "A medicine"),),
    ),
}
