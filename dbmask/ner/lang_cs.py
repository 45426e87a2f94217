"""Czech."""

from __future__ import annotations

from dbmask.ner.language import Language, words

__all__ = ["LANGUAGE"]

_FORMS = (
    "leden ledna lednu lednem",
    "únor února únoru únorem",
    "březen března březnu březnem",
    "duben dubna dubnu dubnem",
    "květen května květnu květnem",
    "červen června červnu červnem",
    "červenec července červenci červencem",
    "srpen srpna srpnu srpnem",
    "září zářím",
    "říjen října říjnu říjnem",
    "listopad listopadu listopadem",
    "prosinec prosince prosinci prosincem",
)
_MONTHS = {form: i for i, forms in enumerate(_FORMS, 1) for form in forms.split()}
_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_WEEKDAY = r"(?:(?:pondělí|úterý|střed[auy]|čtvrtek|čtvrtka|pátek|pátku|sobot[auy]|neděl[eií]),?\s{1,3})"
_HOUR = r"(?:[01]?\d|2[0-4])"

LANGUAGE = Language(
    code="cs",
    function=words(
        "a v ve na se s z ze do je že o k ke i za po pro od při jako byl byla bylo byli jsem jsme jste není to ten ta který která"
        " které ale nebo už jen si jeho její jejich až dne dnes prosím bydlí pracuje pan paní u před kvůli ne má být"
        " dvě tady díky podle mezi tom tím opět beze všechny všech žije mé můj moje svůj svou své mu jí mi mě jej ji oni ona on byly jejím"
    ),
    common=words(
        """a aby adresa ale ani ano asi až balík bez blíže bude budou by byl byla byli bylo být cena chyba chybu co což další dávka
        dávku datum den děkuji děkujeme díky dle dne dnes do dobrý dobrá doporučení dokud dost email faktura fakturu hodina hodinu
        i jak jako je jeden jedna jedno jeho její jejich jejího jen ještě již jmenuji jméno jsem jsme jsou jste k kapitán
        kam kde kdo kdy když ke klíče kolega kolegyně kontakt kontaktujte kontrola která které který kvůli lékař letos
        má mají manžel manželé manželka matka mezi milá milý mluvil mluvila moje můj mužu my na nad naše náš ne nebo
        nechť než nic není nikdo nájemce nájemnice obžalovaný obžalovaná od odeslal odeslala odpověď on ona oni opět ošetřující otec
        pac pacient pacienta pacientka pacientky pak pan pana pane paní po pod podepsal podepsán podepsána podle pohovor pokud
        potom poté poznámka pozor pro prosím proto protože předmět před přes přesto příští při přijato přijat přijata příloha
        restartujte recept s se sestra si smlouva smlouvu služba službu soudce soudkyně stav svědek svědkyně syn synovi
        ta tady tak také takže tam telefon tedy tel ten tento termín test testy těší tiket tlak tlumočník tlumočnice to
        tu u účet už v váš vaše včera ve verze vědomí vedoucí věc více vítěz vítězka vítězkou volejte volal volala vy výbor
        vysvětlení výpověď výtah všechny všichni z za zákazník zákaznice zápis zapsal zapsala zásilka zavolejte závěť zdraví
        ze zpráva že žádost žalobce žalobkyni žalobkyně čau čtvrtletní řekl řekla řidič řidičem ahoj žena já odstranit ve"""
    ),
    titles=words(
        "mudr mudr. ing ing. mgr mgr. bc bc. judr judr. phdr phdr. rndr rndr. mvdr mvdr. paeddr. doc doc. prof prof. dr dr. arch."
        " mba ph.d. csc. por. plk. kpt. npor. dis. sestra p."
    ),
    roles=words(
        "pan pana panu pane panem paní slečna slečnu slečně slečnou pacient pacienta pacientka pacientku pacientky pac lékař lékařka"
        " sestra sestry svědek svědkyně řidič řidičem nájemce nájemnice soused souseda kolega kolegyně obžalovaný obžalovaná"
        " zákazník zákaznice matka otec syn synovi dcera bratr manžel manželka manželé žena teta strýc jmenuji milý milá ahoj"
        " tady pozdravem zdraví díky děkuji děkujeme podepsán podepsal kontaktujte zavolejte zapsal zapsala odeslal od s se"
        " podle vědomí kapitán soudce soudkyně tlumočník vítěz vítězkou klientka klient ředitel ředitelka učitel učitelka"
        " já byl byla má našel našla vede pro a žádost výpověď závěť otevřel"
    ),
    actions=words(
        "byl byla je bydlí žije pracuje píše říká řekl řekla tvrdí volal volala má měl měla podepsal podepsala zaplatil zaplatila"
        " daroval darovala žádal žádala odletěl odletěla odešel odešla převzal převzala se si zapomněl zapomněla hlásí opustil"
        " opustila skóroval skórovala nastoupil nastoupila odevzdal odevzdala letěl letěla sdílejí dluží přišel přišla a"
    ),
    places_after=words("v ve do z ze u"),
    organisations=words(
        "univerzita univerzity univerzitě univerzitu univerzitou škola školy škole školu školou gymnázium gymnázia nemocnice nemocnici"
        " nemocnicí poliklinika polikliniky poliklinice polikliniku klinika kliniky klinice kliniku lékárna lékárny lékárně lékárnu"
        " banka banky bance banku bankou spořitelna spořitelny spořitelně spořitelnu pojišťovna pojišťovny pojišťovně pojišťovnu"
        " nadace nadaci nadací ústav ústavu ministerstvo ministerstva ministerstvu úřad úřadu společnost společnosti spolek spolku"
        " sdružení akademie akademii muzeum muzea knihovna knihovny knihovně firma firmy firmě strojírny závody podnik centrum centra"
        " laboratoř laboratoře agentura agentury fakulta fakulty fakultě"
    ),
    joiners=words("& a na nad pod u sv. pro"),
    months=_MONTHS,
    weekdays=("pondělí", "úterý", "středa", "čtvrtek", "pátek", "sobota", "neděle"),
    dates=(
        rf"\b{_WEEKDAY}?{_DAY}\.\s{{0,3}}{_MONTH}(?:\s{{1,3}}\d{{4}}\b)?",
        rf"\b{_WEEKDAY}?{_DAY}\.\s{{0,3}}(?:0?[1-9]|1[0-2])\.\s{{0,3}}(?:\d{{4}}|\d\d)\b(?![.:]\d)",
        # After "v" it is a time.
        rf"(?<!\bv )(?<!\bve )\b{_DAY}\.\s{{0,3}}(?:0?[1-9]|1[0-2])\.(?!\s?\d)",
        rf"\b{_MONTH}\s{{1,3}}(?:roku\s{{1,3}})?(?:1[89]|20)\d\d\b",
    ),
    times=(
        rf"{_HOUR}(?:[:.][0-5]\d)?\s{{0,3}}(?:hod(?:\.|in[ayu]?\b|ině\b)|h\b)",
        rf"{_HOUR}\.\s{{0,3}}hodin[auyoě]\w*\b",
        rf"(?<=\bv ){_HOUR}[.][0-5]\d\b(?![.]?\d)",
        rf"(?<=\bve ){_HOUR}[.][0-5]\d\b(?![.]?\d)",
    ),
    never=words("internet vánoce velikonoce ok česky windows linux excel word google kč"),
)
