"""spaCy pipelines: a small one is trained here, saved and loaded as a user's would be."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbmask import ner
from dbmask.cli import run
from dbmask.errors import UsageError
from dbmask.ner.entities import EntityLabel
from dbmask.ner.model import load_model
from dbmask.text import TextMasker

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own, of what it imports
    import spacy
    from spacy.training import Example
    from thinc.api import fix_random_seed

WARES = ["blorptide", "quenzamil", "tarvoxine", "melbrazol", "fenquidor", "zorlapine"]
FRAMES = ["take {} twice a day", "we gave {} in the morning", "{} was stopped", "no reaction to {} so far"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that calls invented medicines organisations: nothing that a rule would find."""
    nlp: Any = spacy.blank("en")
    recognizer = nlp.add_pipe("ner")
    recognizer.add_label("ORG")
    recognizer.add_label("MISC")
    examples = []
    for ware in WARES[:5]:
        for frame in FRAMES:
            text = frame.format(ware)
            at = text.index(ware)
            entities = {"entities": [(at, at + len(ware), "ORG")]}
            examples.append(Example.from_dict(nlp.make_doc(text), entities))
    fix_random_seed(1)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(25):
        for at in range(0, len(examples), 5):
            nlp.update(examples[at : at + 5], sgd=optimizer, drop=0.1)
    folder = tmp_path_factory.mktemp("models") / "medicines"
    nlp.to_disk(folder)
    return folder


def test_a_pipeline_adds_to_the_rules_and_takes_nothing_away(pipeline: Path) -> None:
    text = "Alice said: take blorptide twice a day"
    assert ner.mask(text, "en").output == "[PERSON] said: take blorptide twice a day"
    result = ner.mask(text, "en", model=str(pipeline))
    assert result.output == "[PERSON] said: take [ORGANISATION] twice a day"
    found = result.entities[1]
    assert (found.label, found.detector) == (EntityLabel.ORGANISATION, f"spacy:{pipeline}")
    assert result.stats["detectors"] == ["forms", "dates", "names", f"spacy:{pipeline}"]


def test_many_texts_go_through_a_pipeline_together(pipeline: Path) -> None:
    texts = [f"take {ware} twice a day" for ware in WARES[:5]]
    results = ner.mask(texts, "en", model=str(pipeline))
    assert [r.output for r in results] == ["take [ORGANISATION] twice a day"] * 5


def test_offsets_are_code_points_whatever_stands_before(pipeline: Path) -> None:
    text = "🙂 ß e\u0301 take blorptide twice a day"
    entity = next(e for e in ner.mask(text, "en", model=str(pipeline)).entities if e.label is EntityLabel.ORGANISATION)
    assert text[entity.start : entity.end] == entity.text == "blorptide"


def test_the_text_matcher_uses_it(pipeline: Path) -> None:
    config = {
        "matchers": {"ner": [{"label": "ORGANIZATION", "language": "en", "model": str(pipeline)}]},
        "masks": [{"label": "ORGANIZATION", "masks": ["redact"]}],
    }
    made = TextMasker(config).mask_many(["take blorptide twice a day", "nothing", "take blorptide twice a day"])
    assert [r.output for r in made] == ["take ********* twice a day", "nothing", "take ********* twice a day"]


@pytest.fixture
def installed(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The pipeline as the package of this name, as ``spacy download`` would lay it down."""
    name = "en_core_web_lg"
    package = tmp_path / "site" / name
    shutil.copytree(pipeline, package / "data")
    loads = "from pathlib import Path\nimport spacy\ndef load(**given): return spacy.load(Path(__file__).parent / 'data', **given)\n"
    (package / "__init__.py").write_text(loads)
    (package.parent / f"{name}-1.dist-info").mkdir()
    (package.parent / f"{name}-1.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    load_model.cache_clear()
    yield name
    load_model.cache_clear()
    sys.modules.pop(name, None)


def test_an_installed_pipeline_is_added_to_texts_of_its_language(
    installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, french = "the nurse said: take blorptide twice a day", "Alice habite à Paris depuis une semaine."
    results = ner.mask([text, french])
    assert [r.output for r in results] == [
        "the nurse said: take [ORGANISATION] twice a day",
        "[PERSON] habite à [LOCATION] depuis une semaine.",
    ]
    rules = ["forms", "dates", "names"]
    assert [r.stats["detectors"] for r in results] == [[*rules, f"spacy:{installed}"], rules]
    assert ner.mask(text, "fr").output == text
    assert ner.mask(text, model="none").output == text
    (tmp_path / "note.txt").write_text(text)
    assert run(["ner", str(tmp_path / "note.txt")]) == 0
    assert run(["ner", str(tmp_path / "note.txt"), "--model", "none"]) == 0
    assert capsys.readouterr().out == f"{results[0].output}{text}"


@pytest.mark.usefixtures("installed")
def test_a_policy_uses_only_what_it_names() -> None:
    config = {
        "matchers": {"ner": [{"label": "ORGANIZATION", "language": "en"}]},
        "masks": [{"label": "ORGANIZATION", "masks": ["redact"]}],
    }
    text = "take blorptide twice a day"
    assert [r.output for r in TextMasker(config).mask_many([text])] == [text]


def test_what_is_no_pipeline(tmp_path: Path) -> None:
    for name in (str(tmp_path), "xx_none_lg"):
        with pytest.raises(UsageError, match="python -m spacy download"):
            ner.mask("x", model=name)
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(UsageError, match="no entity recognizer"):
        ner.mask("x", model=str(tmp_path / "blank"))


def test_without_spacy_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UsageError, match="pip install spacy"):
        ner.mask("x", model="en_core_web_lg")
    assert ner.mask("Alice left", "en").output == "[PERSON] left"


def test_a_text_longer_than_a_pipeline_takes_is_an_error_and_not_passed_on(pipeline: Path) -> None:
    model = load_model(str(pipeline))
    with pytest.raises(UsageError, match="longer than"):
        model.many(["x" * 1_000_001])


def test_without_the_extra_the_text_mask_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    config = {
        "matchers": {"regex": [{"label": "A", "pattern": "a"}]},
        "masks": [{"label": "A", "masks": ["redact"]}],
    }
    with pytest.raises(UsageError, match=r"pip install '\.\[text\]'"):
        TextMasker(config)
