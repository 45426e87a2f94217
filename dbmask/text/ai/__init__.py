"""``ai_detect``: entities that a language model finds, asked over HTTP, or rules where they can serve."""
