"""English."""

from __future__ import annotations

from dbmask.ner.language import Language, words

__all__ = ["LANGUAGE"]

_MONTHS = {
    **dict(
        zip(
            [
                "january",
                "february",
                "march",
                "april",
                "may",
                "june",
                "july",
                "august",
                "september",
                "october",
                "november",
                "december",
            ],
            range(1, 13),
            strict=True,
        )
    ),
    **dict(
        zip(
            ["jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"],
            (1, 2, 3, 4, 6, 7, 8, 9, 9, 10, 11, 12),
            strict=True,
        )
    ),
}
_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s{1,3})"

LANGUAGE = Language(
    code="en",
    function=words(
        "the and of to in is was were that it for with on at by from his her he she they we you this have has had not are"
        " an be which or as but been their our my your when what who please there about after before if can lives works"
    ),
    common=words(
        """a about above according account action add address adm admitted after again against age all allergies also although always
        am among an and another any anyone application appointment apply approved are as ask at attached attending attention
        available back based be because been before being below best between big blood both bring but by call called came can
        cannot cc check claim class clear clinical close come comment committee compared complaint condition confirmed
        contact continue copy could customer daily date day days deadline dear decision denied department description despite did
        discharge discharged do does done dose down due during each either email emergency end enclosed error even every
        everyone exam example except father feel file final find first follow following for forward found from further
        general get give given go going good greetings had happy has have having he hello help her here hereby hers hi him
        his history home hope how however i if immediately important in including information inside instead interview into
        invoice is issue it item its just keep keys kind kindly last late later leave left less let letter lift like list
        live long look made mail make male many may me medical medication meeting message might minutes monthly more
        morning most mother move mr much must my name near need never new next no none nor not note notes nothing now number
        of off office often old on once one only open opened operator or order other our out outside over own package page
        paid part patient payment per phone physician plan please possible power pressure previous prior problem product provided
        quarterly question quite rather re read reason received record referred regarding regards reply report reported request
        requested result results return review reviewed right said sale same saw say second section see seen send sent
        service several she should show signed since single sister so some someone son soon spoke start started status
        still stop subject such support sure system take taken tell test thank thanks that the their them then there
        therefore these they thing this those though three through ticket time title to today together told tomorrow too
        total toward transfer treatment try two type under until up update upon urgent us use used user usually
        version very via visit wait want warm was way we week weekly welcome well were what when where whether which while
        who whose why will wishes with within without witness witnessed word work would write yes yesterday yet you your
        yours born admission class application tenant driver winner statement defendant claimant plaintiff contract"""
    ),
    titles=words(
        "mr mr. mrs mrs. ms ms. miss dr dr. prof prof. professor sir lady lord dame madam rev rev. fr. capt capt. captain col"
        " col. lt lt. sgt sgt. maj. gen. judge justice senator president hon hon. pastor detective inspector constable"
        " officer sister brother father nurse_practitioner"
    ),
    roles=words(
        "patient pt nurse doctor physician customer client witness driver tenant neighbour neighbor colleague colleagues"
        " defendant claimant plaintiff applicant employee manager mother father sister brother son daughter husband wife"
        " uncle aunt cousin friend partner interpreter operator named name dear hello hi hey regards sincerely wishes cc bcc by"
        " attn attention contact called signed from thanks thank said told asked and winner user author teacher student"
        " surgeon therapist guardian lawyer attorney agent clerk cashier guest resident i am call met spoke"
    ),
    actions=words(
        "said says wrote writes told tells asked asks called calls lives lived works worked reported reports noted notes signed"
        " was is has had will would reviewed denies denied presented arrived left moved visited flew joined retired submitted"
        " scored opened forgot paid teaches speaks thinks thought went came saw met took gave received sent agreed refused"
        " complained requested and explained stated confirmed added replied answered owes donated adjourned cannot can does did"
    ),
    places_after=words("in near"),
    organisations=words(
        "university college school academy institute hospital clinic infirmary hospice pharmacy bank insurance trust foundation"
        " association society council ministry department agency authority committee commission union federation church"
        " museum library laboratory laboratories labs company corporation group holdings partners brothers associates industries"
        " systems solutions services technologies software consulting airlines airways motors press times"
        " centre center surgery medical"
    ),
    joiners=words("of & and the for de"),
    months=_MONTHS,
    weekdays=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    dates=(
        rf"(?:{_WEEKDAY}(?:the\s{{1,3}})?|the\s{{1,3}}(?=\d{{1,2}}(?:st|nd|rd|th)\b))?{_DAY}\s{{0,3}}(?:of\s{{1,3}})?[-\s]?{_MONTH}(?:,?[-\s]\s{{0,3}}\d{{4}}\b)?",
        rf"{_WEEKDAY}?\b{_MONTH}\s{{1,3}}(?:the\s{{1,3}})?{_DAY}\b(?!:)(?:,?\s{{1,3}}\d{{4}}\b)?",
        rf"\b{_MONTH},?\s{{1,3}}(?:of\s{{1,3}})?(?:1[89]|20)\d\d\b",
    ),
    times=(
        r"(?:[01]?\d|2[0-4])(?:[:.][0-5]\d){0,2}\s?[ap]\.?\s?m\b\.?",
        r"(?:[1-9]|1[0-2]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\s{1,3}o['’]clock\b",
        r"(?<=\bat )(?:[01]?\d|2[0-3])[:.][0-5]\d\b(?![.,]?\d)",
    ),
    never=words(
        "i english french german spanish italian czech russian chinese japanese christmas easter internet ok okay"
        " monday tuesday wednesday thursday friday saturday sunday january february march april june july august september"
        " october november december euro euros dollar windows linux excel word google"
    ),
)
