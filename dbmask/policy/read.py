"""Policy files as documents: found, decoded, parsed by their format, and with the environment filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import nearest
from dbmask.policy.document import Document, Path_
from dbmask.policy.from_json import read_json
from dbmask.policy.from_toml import read_toml
from dbmask.policy.from_yaml import read_yaml

__all__ = ["FORMATS", "from_data", "parse", "read"]

FORMATS = {"yaml": read_yaml, "json": read_json, "toml": read_toml}
_ENDINGS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_ENV = re.compile(r"(\$?)\$\{([A-Za-z_][^}\s]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def read(path: str | Path, environ: Mapping[str, str] | None = None) -> Document:
    """Read a policy file; its format is told by its ending. Raises PolicyError where it cannot be read or parsed."""
    name = str(path)
    form = _ENDINGS.get(Path(name).suffix.lower())
    if form is None:
        raise PolicyError([Problem(name, "is no policy file by its name", "use .yaml, .json or .toml")])
    try:
        text = Path(name).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(name, f"is not UTF-8 at byte {error.start}")]) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no file name"
        raise PolicyError([Problem(name, f"cannot be read: {why}")]) from None
    return parse(text, form, name, environ)


def parse(text: str, form: str, name: str = "", environ: Mapping[str, str] | None = None) -> Document:
    """Parse a policy's text as "yaml", "json" or "toml". Raises PolicyError for a syntax error, with its line."""
    if form not in FORMATS:
        raise PolicyError([Problem(name, f"there is no format {form!r}", nearest(form, list(FORMATS)))])
    document = Document(name)
    FORMATS[form](text.removeprefix("\ufeff"), document)
    return _filled(document, environ)


def from_data(data: Mapping[str, Any], name: str = "", environ: Mapping[str, str] | None = None) -> Document:
    """A document from plain data; its places are paths."""
    return _filled(Document(name, _texts(data), by_path=True), environ)


def _texts(data: Any) -> Any:
    """Data whose mappings are dicts with texts as keys, and whose lists are lists."""
    if isinstance(data, Mapping):
        return {str(k): _texts(v) for k, v in data.items()}
    return [_texts(v) for v in data] if isinstance(data, list | tuple) else data


def _filled(document: Document, environ: Mapping[str, str] | None) -> Document:
    filler = _Filler(document, os.environ if environ is None else environ)
    document.data = filler.fill(document.data, ())
    filler.rename()
    return document


class _Filler:
    """Puts the environment's values where ``${NAME}`` stands; ``$${NAME}`` is how to write ``${NAME}`` itself."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.document = document
        self.environ = environ
        self.renamed: dict[Path_, str] = {}

    def fill(self, data: Any, path: Path_) -> Any:
        """The data with all values and, outside masks, all names filled in. The key's source stays as it is."""
        if path == ("key",):
            return data
        if isinstance(data, dict):
            made: dict[str, Any] = {}
            for name, item in data.items():
                place = (*path, name)
                value = self.fill(item, place)
                # Keys inside a mask are its own, such as JSONPaths, which begin with a dollar sign.
                known = name if _in_mask(path) else self._text(name, place)
                if known in made:
                    self.document.fail(place, f"{known!r} is given twice")
                if known != name:
                    self.renamed[place] = known
                made[known] = value
            return made
        if isinstance(data, list):
            return [self.fill(item, (*path, i)) for i, item in enumerate(data)]
        return self._text(data, path) if isinstance(data, str) else data

    def _text(self, text: str, path: Path_) -> str:
        return _ENV.sub(lambda m: self._one(m, path), text) if "${" in text else text

    def _one(self, match: re.Match[str], path: Path_) -> str:
        escape, name = match.groups()
        if escape:
            return match[0][1:]
        if not _NAME.match(name):
            self.document.fail(path, "`${...}` takes the name of an environment variable and nothing else")
        elif name not in self.environ:
            self.document.fail(path, f"the environment variable {name} is not set")
        return self.environ.get(name, "")

    def rename(self) -> None:
        """Let lines follow the names that were filled in."""
        document = self.document
        if self.renamed:
            document.lines = {self._new(path): line for path, line in document.lines.items()}
            document.empty = {self._new(path) for path in document.empty}

    def _new(self, path: Path_) -> Path_:
        return tuple(self.renamed.get(path[: i + 1], part) for i, part in enumerate(path))


def _in_mask(path: Path_) -> bool:
    """Whether the keys of a mapping at ``path`` are parameters of a mask."""
    if path[:1] == ("classes",):
        return len(path) > 1
    return path[:1] == ("tables",) and (path[2:3] == ("anonymizer",) or (path[2:3] == ("columns",) and len(path) > 3))
