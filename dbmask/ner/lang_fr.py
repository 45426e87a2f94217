"""French."""

from __future__ import annotations

from dbmask.ner.language import Language, words

__all__ = ["LANGUAGE"]

_NAMES = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
_SHORT = {
    "janv": 1,
    "févr": 2,
    "fév": 2,
    "fevrier": 2,
    "avr": 4,
    "juil": 7,
    "aout": 8,
    "sept": 9,
    "oct": 10,
    "nov": 11,
    "déc": 12,
    "decembre": 12,
    "dec": 12,
}
_MONTHS = {**{name: i for i, name in enumerate(_NAMES, 1)}, **_SHORT}
_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?:1er|0?[1-9]|[12]\d|3[01])"
_WEEKDAY = r"(?:(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche),?\s{1,3})"

LANGUAGE = Language(
    code="fr",
    function=words(
        "le la les de des du et à un une en est que qui pour dans par sur avec au aux ce cette il elle ne pas plus se son sa ses"
        " sont été était je nous vous mon ma mais ou où avant après chez depuis merci habite vit ont leur"
    ),
    common=words(
        """a afin ai ainsi alors appel après arrivée as au aucun aujourd aussi autre aux avant avec avez avoir ayant bien bon bonjour
        bonsoir c car ce ceci cela celle celui ces cet cette chaque cher chère chez client cliente code comité comme comment compte
        concernant contact contacter contactez copie cordialement cours d dans date de demain demande depuis des dès deux
        document donc dont dose du début elle elles en encore entre envoi est et eux examen facture fait faire fin grâce
        hier homme ici il ils infirmière j je l la le les leur leurs lettre locataire lors lui ma madame mademoiselle mais
        mari merci mes message moi mon monsieur même n ne ni non nos notre nous née né objet on opérateur ou où oui
        paquet par parce pas patient patiente pendant père mère peu pour pourquoi prochain prochaine près prendre puis
        qu quand que quel quelle qui quoi rappeler rapport reçu rendez salut sa sans se selon ses si signé signée soit son sont
        sous suite sur sœur soeur t ta te témoin ticket tous tout toute toutes traitement très tu tension un une urgence
        version veuillez vers voici votre vous vu y à âge également état être amitiés bien respectueusement médecin
        requérante requérant prévenu ascenseur interprète notre"""
    ),
    titles=words(
        "m m. mm. mme mme. mmes mlle mlle. mr mr. dr dr. docteur docteure pr pr. prof prof. professeur professeure me maître"
        " monsieur madame mademoiselle sœur soeur frère père abbé mère_supérieure"
    ),
    roles=words(
        "patient patiente infirmier infirmière docteur médecin client cliente témoin conducteur conductrice locataire voisin voisine"
        " collègue prévenu prévenue requérant requérante salarié salariée directeur directrice mère père sœur frère fils fille mari"
        " femme épouse oncle tante cousin cousine ami amie interprète opérateur nommé nommée appelle cher chère bonjour"
        " cordialement copie par contactez contacter rappeler signé soussigné soussignée merci grâce remercions dit avec et"
        " gagnant gagnante utilisateur auteur enseignant élève capitaine juge avocat gardien vous ici chez traitant"
        " selon rencontré parlé écrit est c"
    ),
    actions=words(
        "dit a est était habite vit travaille écrit écrivait signale demande a_dit ont sont partage partagent appelle appelait"
        " sera aura rejoint quitté avait doit peut veut pense affirme déclare explique confirme répond remercie souhaite"
        " arrive part vient va reste prend donne reçoit envoie à_l'appareil aime joue"
    ),
    places_after=words("à en au aux vers"),
    organisations=words(
        "université école collège lycée institut hôpital hopital clinique pharmacie banque assurance assurances fondation association"
        " société conseil ministère département agence cabinet comité commission syndicat fédération église musée bibliothèque"
        " laboratoire laboratoires compagnie groupe mairie préfecture entreprise établissements maison_de_retraite chu chr centre"
    ),
    joiners=words("de du des d' l' la le les & et"),
    months=_MONTHS,
    weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    dates=(
        rf"\b{_WEEKDAY}?{_DAY}\s{{1,3}}{_MONTH}(?:\s{{1,3}}\d{{4}}\b)?",
        rf"\b{_MONTH}\s{{1,3}}(?:de\s{{1,3}})?(?:1[89]|20)\d\d\b",
    ),
    times=(
        r"(?:[01]?\d|2[0-4])\s?(?:h|H)\s?(?:[0-5]\d)?(?:\s?min)?\b",
        r"(?:[01]?\d|2[0-4])\s{1,3}heures?(?:\s{1,3}[0-5]?\d|\s{1,3}et\s{1,3}(?:demie?|quart)|\s{1,3}trente|\s{1,3}moins\s{1,3}\w+)?\b",
    ),
    never=words(
        "internet noël pâques ok français anglais allemand espagnol italien tchèque lundi mardi mercredi jeudi vendredi samedi"
        " dimanche euro euros windows linux excel word google"
    ),
)
