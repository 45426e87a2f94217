"""What asking a model will cost, before anything is asked: linear in characters, labels and the length of the guidelines."""

from __future__ import annotations

from dataclasses import dataclass

from dbmask.text.ai.prompt import Prompt
from dbmask.text.config import AiService

__all__ = ["Estimate", "estimate"]

_PER_TOKEN = 4
"""Characters to a token, as usual for English; other languages need up to twice as many tokens."""
_FOUND = 0.25
"""Tokens answered for each token of text, and for each label."""
_PER_LABEL = 5


@dataclass(frozen=True)
class Estimate:
    """Tokens for ``texts`` texts, and their price."""

    texts: int
    tokens_in: int
    tokens_out: int
    cost: float
    currency: str

    def __str__(self) -> str:
        return (
            f"about {self.tokens_in:,} tokens in and {self.tokens_out:,} out for {self.texts:,} texts, "
            f"{self.cost:,.2f} {self.currency}"
        )


def estimate(prompt: Prompt, service: AiService, texts: int, characters: int) -> Estimate:
    """The estimate for ``texts`` texts of ``characters`` characters each."""
    requests = -(-texts // service.batch)
    text_tokens = texts * characters / _PER_TOKEN
    tokens_in = requests * len(prompt.system) / _PER_TOKEN + text_tokens
    tokens_out = _FOUND * text_tokens + texts * _PER_LABEL * len(prompt.labels)
    cost = (tokens_in * service.price_in + tokens_out * service.price_out) / 1e6
    return Estimate(texts, round(tokens_in), round(tokens_out), cost, service.currency)
