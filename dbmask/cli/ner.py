"""``dbmask ner``."""

from __future__ import annotations

import json
import logging

import click

__all__ = ["command"]

_LOG = logging.getLogger("dbmask.ner")


@click.command("ner")
@click.argument("file", default="-")
@click.option("-o", "--output", metavar="FILE", help="Where the masked text goes; by default to standard output.")
@click.option(
    "-l", "--language", type=click.Choice(["en", "fr", "cs"]), help="The text's language; detected by default."
)
@click.option("--lines", is_flag=True, help="Each line is a text of its own.")
@click.option(
    "--model",
    metavar="NAME",
    help="A spaCy pipeline, by name or folder, that adds to the built-in detectors, or none; by default en_core_web_lg "
    "and fr_core_news_lg where they are installed.",
)
@click.option("--encoding", default="utf-8", show_default=True, metavar="NAME", help="The file's encoding.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one object for each text, with its entities. It holds the original.",
)
@click.option("--verbose", is_flag=True, help="Log what runs to standard error, never any text.")
def command(
    file: str,
    output: str | None,
    language: str | None,
    lines: bool,
    model: str | None,
    encoding: str,
    form: str,
    verbose: bool,
) -> None:
    """Replace names, places, organisations, dates, times, addresses and numbers in a text by [LABEL] tags.

    FILE - (or nothing) is standard input.
    """
    from dbmask.ner import mask
    from dbmask.ner.streams import mask_stream, opened, written

    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")

    def masked(texts: list[str]) -> list[str]:
        results = mask(texts, language, model)
        for result in results:
            found = ", ".join(result.labels_found) or "nothing"
            _LOG.debug(
                "%d characters, language %s, %d entities (%s), %.3f s",
                len(result.input),
                result.language or "undecided",
                result.entity_count,
                found,
                result.stats["seconds"],
            )
        if form == "json":
            return [json.dumps(r.as_dict(), ensure_ascii=False) + ("" if lines else "\n") for r in results]
        return [r.output for r in results]

    with opened(file) as source, written(output) as target:
        mask_stream(source, target, masked, encoding, lines)
