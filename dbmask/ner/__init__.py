"""Names, places, dates and numbers in running text, found by rules; a spaCy pipeline adds to them where one is named.

from dbmask import ner

ner.mask("Alice habite à Paris.").output      # '[PERSON] habite à [LOCATION].'
"""

from __future__ import annotations

from dbmask.ner.entities import Entity, EntityLabel, PipelineResult
from dbmask.ner.pipeline import detect, mask

__all__ = ["Entity", "EntityLabel", "PipelineResult", "detect", "mask"]
