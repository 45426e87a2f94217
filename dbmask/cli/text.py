"""``dbmask text``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbmask.cli.common import key_option
from dbmask.errors import MaskError, UsageError

if TYPE_CHECKING:
    from dbmask.text import TextMasker, TextResult
    from dbmask.text.spans import Part

__all__ = ["command", "explained"]

_COLORS = ("green", "cyan", "magenta", "yellow", "blue", "red")


@click.command("text")
@click.argument("rules", type=click.Path(exists=True, dir_okay=False))
@click.argument("files", nargs=-1)
@click.option("-o", "--output", metavar="FILE", help="Where the masked text goes (of several FILES: a folder).")
@click.option("--lines", is_flag=True, help="Each line is a text of its own.")
@click.option("--column", metavar="TABLE.COLUMN", help="Which text mask, where RULES is a policy with several.")
@click.option("--encoding", default="utf-8", show_default=True, metavar="NAME", help="The files' encoding.")
@click.option("--explain", is_flag=True, help="Show the texts with what was found and why, instead of masking them.")
@click.option("--color", is_flag=True, help="Colours in --explain, also where the output is no terminal.")
@click.option(
    "--report", metavar="FILE", type=click.Path(dir_okay=False), help="Write counts by label and matcher (JSON)."
)
@key_option
def command(
    rules: str,
    files: tuple[str, ...],
    output: str | None,
    lines: bool,
    column: str | None,
    encoding: str,
    explain: bool,
    color: bool,
    report: str | None,
    key_file: str | None,
) -> None:
    """Mask plain text by RULES: a file with `matchers:` and `masks:`, or a policy with a text mask.

    FILES - (or none) is standard input.
    """
    from dbmask.ner.streams import mask_stream, opened, written
    from dbmask.policy.texts import load_text
    from dbmask.text import TextMasker

    mask, policy = load_text(rules, column)
    masker = TextMasker.of(mask, policy.keyring(key_file))
    for note in (*policy.notes, *masker.warnings):
        click.echo(f"Warning: {note}", err=True)
    if masker.needs:
        raise UsageError(
            f"these rules read the columns {', '.join(masker.needs)} of the row, and plain text has no row: "
            "leave context_sources and hash_columns out"
        )
    named = files or ("-",)
    for path, target in zip(named, _targets(named, output), strict=True):
        with _naming(path), opened(path) as source, written(target) as out:
            if explain:
                shown = output is None and sys.stdout.isatty()
                explain_all = _explainer(masker, color or shown)
                mask_stream(source, out, explain_all, encoding, lines)
            else:
                mask_stream(source, out, masker.outputs, encoding, lines)
    _summary(masker, report)


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """What goes wrong in a file is told with its name."""
    try:
        yield
    except (UsageError, MaskError) as error:
        text = str(error)
        raise type(error)(text if path == "-" or text.startswith(path) else f"{path}, {text}") from None


def _explainer(masker: TextMasker, color: bool) -> Callable[[list[str]], list[str]]:
    def explain(texts: list[str]) -> list[str]:
        made = [explained(masker, text) for text in texts]
        return made if color else [click.unstyle(text) for text in made]

    return explain


def _targets(files: Sequence[str], output: str | None) -> list[str | None]:
    if output is None or len(files) == 1:
        return [output] * len(files)
    names = [Path(f).name for f in files]
    if not Path(output).is_dir() or len(set(names)) < len(names) or "-" in files:
        raise UsageError("of several files -o names a folder that is there, and their names differ")
    return [str(Path(output) / name) for name in names]


def _summary(masker: TextMasker, report: str | None) -> None:
    from dbmask.ner.streams import written

    facts = masker.report.as_dict()
    if report is not None:
        with written(report) as out:
            out.write(json.dumps(facts, indent=2).encode() + b"\n")
    found = ", ".join(f"{s['label']} by {s['matcher']}: {s['count']}" for s in facts["spans"]) or "nothing found"
    click.echo(f"{facts['texts']} texts, {found}", err=True)
    for why, count in facts["replaced"].items():
        click.echo(f"Warning: {count} texts replaced whole: {why}", err=True)
    if facts["without_findings"]:
        click.echo(f"Warning: nothing was found in {facts['without_findings']} texts", err=True)


def explained(masker: TextMasker, text: str) -> str:
    """A text with its spans in colour, then each with label, matcher and why. It shows the original."""
    result = masker.mask(text, explain=True)
    colors = dict(zip(dict.fromkeys(s.label for s in result.spans), _COLORS * len(result.spans), strict=False))
    parts, at = [], 0
    for span in result.spans:
        shown = click.style(f"[{text[span.start : span.end]}]", fg=colors[span.label], bold=True)
        parts += [text[at : span.start], shown]
        at = span.end
    lines = ["".join([*parts, text[at:]]), *_reasons(text, result, colors)]
    return "\n".join(lines) + ("\n" if "\n" in text or not text else "")


def _reasons(text: str, result: TextResult, colors: dict[str, str]) -> list[str]:
    if result.failed:
        return [f"  replaced whole: {result.failed}"]
    lines = []
    for span, parts in zip(result.spans, result.parts, strict=True):
        label = click.style(span.label, fg=colors[span.label], bold=True)
        why = parts[0].why if parts else ""
        lines.append(f"  {span.start}-{span.end} {label} by {span.matcher}" + (f" ({why})" if why else ""))
        if len(parts) > 1:
            lines += [f"    merged from {_shown(text, part)}" for part in parts]
    lines += [f"  rejected by {why}: {_shown(text, span)}" for span, why in result.rejected]
    return lines or ["  nothing was found"]


def _shown(text: str, part: Part) -> str:
    return f"{part.start}-{part.end} {text[part.start : part.end]!r} ({part.label} by {part.matcher}, {part.why})"
