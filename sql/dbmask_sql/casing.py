"""Upper and lower case by a fixed table of letter pairs: the same in every database, locale and Python version.

The pairs are the letters of Latin-1, Latin Extended-A, -B and Additional, Greek, Cyrillic and Armenian that stand one
to one for each other (Unicode 14). What has no fellow of one letter stays as it is: ``ß``, ``ŉ``, ``İ``.
"""

from __future__ import annotations

import string

__all__ = ["AGREED", "LOWER", "UPPER", "capitalize_words", "lower", "upper"]

UPPER = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒ"
    "ŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƠƢƤƦƧƩƬƮƯƱƲƳƵƷƸƼǄǇǊǍǏǑǓǕǗǙǛǞ"
    "ǠǢǤǦǨǪǬǮǱǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲȺȻȽȾɁɃɄɅɆɈɊɌɎͰͲͶͿΆΈΉΊΌΎΏΑΒΓΔ"
    "ΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫϏϘϚϜϞϠϢϤϦϨϪϬϮϷϹϺϽϾϿЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМ"
    "НОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӁӃӅӇӉӋ"
    "ӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅ"
    "ՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨ"
    "ṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾ"
)
"""Upper-case letters beyond ASCII; the fellow of each stands at the same place in LOWER."""

LOWER = (
    "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĳĵķĺļľŀłńņňŋōŏőœ"
    "ŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵơƣƥʀƨʃƭʈưʊʋƴƶʒƹƽǆǉǌǎǐǒǔǖǘǚǜǟ"
    "ǡǣǥǧǩǫǭǯǳǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳⱥȼƚⱦɂƀʉʌɇɉɋɍɏͱͳͷϳάέήίόύώαβγδ"
    "εζηθικλμνξοπρστυφχψωϊϋϗϙϛϝϟϡϣϥϧϩϫϭϯϸϲϻͻͼͽѐёђѓєѕіїјљњћќѝўџабвгдежзийклм"
    "нопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӂӄӆӈӊӌ"
    "ӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյ"
    "նշոչպջռսվտրցւփքօֆḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩ"
    "ṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿ"
)
"""Lower-case letters beyond ASCII."""

_RANGES = (
    (0x01, 0xB4),
    (0xB6, 0xDE),
    (0xE0, 0x12F),
    (0x132, 0x17E),
    (0x180, 0x1C4),
    (0x1F3, 0x23E),
    (0x370, 0x3C1),
    (0x3C3, 0x3CF),
    (0x400, 0x52F),
    (0x1E00, 0x1E9A),
    (0x1EA0, 0x1EFF),
)
AGREED = "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _RANGES) + "]*"
"""A pattern of texts whose letters Unicode's own simple mapping, too, changes one for one as the table does."""

_TO_UPPER = str.maketrans(string.ascii_lowercase + LOWER, string.ascii_uppercase + UPPER)
_TO_LOWER = str.maketrans(string.ascii_uppercase + UPPER, string.ascii_lowercase + LOWER)


def upper(value: str) -> str:
    """Upper case; the length does not change."""
    return value.translate(_TO_UPPER)


def lower(value: str) -> str:
    """Lower case; the length does not change."""
    return value.translate(_TO_LOWER)


def capitalize_words(value: str) -> str:
    """The first letter of the text and each letter after a space in upper case, all others in lower case.

    >>> capitalize_words("jANA nOVÁKOVÁ")
    'Jana Nováková'
    """
    return " ".join(upper(word[:1]) + lower(word[1:]) for word in value.split(" "))
