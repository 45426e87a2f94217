"""The anonymizer in Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from dbmask.anonymizer.engine import Engine, Outcome
from dbmask.anonymizer.flags import Scorer, ScoringEntry, flag_names
from dbmask.anonymizer.lookup import load_dictionary, upper_dictionary
from dbmask.anonymizer.parameters import ROLES, Parameters, read_parameters
from dbmask.keys import ColumnKey, KeyRing, MasterKey

__all__ = ["DOMAIN", "Anonymizer", "make_engine", "names_key"]

DOMAIN = "anonymizer"
_BATCH = 20_000


def make_engine(
    parameters: Parameters,
    key: ColumnKey,
    name_lookup: Mapping[str, str] | None = None,
    *,
    needs_names: bool | None = None,
    limits: Mapping[str, int] | None = None,
    base: Path | None = None,
) -> Engine:
    """The engine for these parameters; ``name_lookup`` stands for the file that they name.

    ``needs_names`` says whether names will come, None that this is not known;
    ``base`` is where a relative file is looked for. Raises PolicyError where their dictionary
    cannot be read or is missing.
    """
    dictionary = None
    if parameters.changeNames and needs_names is not False:
        if name_lookup is not None:
            dictionary = upper_dictionary(name_lookup)
        elif parameters.nameLookupFileName is not None:
            dictionary = load_dictionary(parameters.nameLookupFileName, key.sub("names"), base)
    engine = Engine(parameters, dictionary, key, limits)
    if needs_names:
        engine.require_names()
    return engine


def names_key(keys: KeyRing, domain: str = DOMAIN) -> ColumnKey:
    """The key under which dictionaries of names are made. Raises KeySourceError where the run has none."""
    return keys.column(domain).sub("names")


class Anonymizer:
    """Masks birth dates, birth numbers and names of the same rows.

    ``birthDayMin`` and ``birthDayMax`` (dates or ISO texts, both included) are required. ``nameLookup`` is a mapping of
    names, in place of ``nameLookupFileName`` (a CSV file, or ``builtin:cs``); one of them is required where names come and
    ``changeNames`` is on. ``scorer`` is a list of entries with key, score, explainAs and explain. ``key`` is a master
    key: bytes (32 or more) or a text as for ``DBMASK_KEY``, which is read where it is not given. The other parameters are
    those of a policy's ``anonymizer:``. All parameters may be texts.

    Raises PolicyError with everything that is wrong, KeySourceError where there is no usable key.
    """

    def __init__(
        self,
        birthDayMin: dt.date | str | None = None,
        birthDayMax: dt.date | str | None = None,
        *,
        key: bytes | str | MasterKey | KeyRing | None = None,
        nameLookup: Mapping[str, str] | None = None,
        scorer: Sequence[ScoringEntry | Mapping[str, Any]] | None = None,
        domain: str = DOMAIN,
        **parameters: Any,
    ) -> None:
        given = {"birthDayMin": birthDayMin, "birthDayMax": birthDayMax, "scorer": scorer, **parameters}
        self.parameters = read_parameters(given)
        self._engine = make_engine(self.parameters, _ring(key).column(domain), nameLookup)
        self._scorer = None if self.parameters.scorer is None else Scorer(self.parameters.scorer)

    def apply(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Mask rows with the keys ``rc``, ``birthDate``, ``firstName`` and ``lastName``, each optional; other keys stay.

        Each row gets ``flags`` (a list of names) and, with a scorer, ``score`` and ``explanation``. Raises MaskError.
        """
        return list(self.stream(rows))

    def stream(self, rows: Iterable[Mapping[str, Any]], batch_rows: int = _BATCH) -> Iterator[dict[str, Any]]:
        """As :meth:`apply`, for any number of rows, in batches."""
        source = iter(rows)
        while batch := list(islice(source, batch_rows)):
            roles = [r for r in ROLES if any(r in row for row in batch)]
            outcome = self.apply_columns({r: [row.get(r) for row in batch] for r in roles}, len(batch))
            bits = outcome.flags.tolist()
            for i, row in enumerate(batch):
                made = {**row, **{r: outcome.columns[r][i] for r in roles if r in row}, "flags": flag_names(bits[i])}
                if self._scorer is not None:
                    made["score"] = self._scorer.scores[bits[i]]
                    made["explanation"] = self._scorer.explanations[bits[i]]
                yield made

    def apply_columns(self, columns: Mapping[str, Sequence[Any]], rows: int | None = None) -> Outcome:
        """Mask a batch given as columns of one length: the fast way. ``rows`` is needed where no column is given.

        Raises MaskError.
        """
        return self._engine.run(columns, rows)

    def date(self, day: dt.date) -> dt.date | None:
        """What a birth date becomes; None for a day out of the range."""
        return self._engine.days(day)


def _ring(key: bytes | str | MasterKey | KeyRing | None) -> KeyRing:
    if isinstance(key, KeyRing):
        return key
    if isinstance(key, MasterKey):
        return KeyRing(key)
    if key is None:
        return KeyRing(MasterKey.load("env:DBMASK_KEY"))
    if isinstance(key, str):
        return KeyRing(MasterKey.parse(key))
    # Shorter bytes are a text of a key: what is too short for a text as well is refused there.
    return KeyRing(MasterKey(key) if len(key) >= 32 else MasterKey.parse(key.decode("utf-8", "replace")))
