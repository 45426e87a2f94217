"""The protocols at the seams between dbmask and databases. A third-party connector implements these and inherits nothing.

    Connector.source(url) -> Source     what can be read: schema, structure, a snapshot of rows
    Connector.target(url) -> Target     what is built: a replica beside what is there, published when complete

Rows travel as batches: a list of columns, each a list of Python values of one length.
"""

from __future__ import annotations

from dbmask.spi.base import (
    Batch,
    Capabilities,
    Connector,
    Held,
    HoldsKeys,
    OpensBuilding,
    OpensRows,
    Pads,
    PrintsTexts,
    Progress,
    Reader,
    ReadsTexts,
    Sink,
    Source,
    Structure,
    Target,
    TargetTable,
    TellsLatest,
)
from dbmask.spi.chunks import ChunkedTarget, ChunkEntry, PartSum, Shared, SharedSource, Span, SummedSource, TakesWhole
from dbmask.spi.refreshed import (
    ComparableSource,
    Receiver,
    RefreshableTarget,
    Refreshing,
    Serving,
    SumsBeyond,
    SwapsTables,
    Written,
)
from dbmask.spi.replaced import KeepsPrevious, Previous, ReplacesSource, Rewritable, Rewriting

__all__ = [
    "Batch",
    "Capabilities",
    "ChunkEntry",
    "ChunkedTarget",
    "ComparableSource",
    "Connector",
    "Held",
    "HoldsKeys",
    "KeepsPrevious",
    "OpensBuilding",
    "OpensRows",
    "Pads",
    "PartSum",
    "Previous",
    "PrintsTexts",
    "Progress",
    "Reader",
    "ReadsTexts",
    "Receiver",
    "RefreshableTarget",
    "Refreshing",
    "ReplacesSource",
    "Rewritable",
    "Rewriting",
    "Serving",
    "Shared",
    "SharedSource",
    "Sink",
    "Source",
    "Span",
    "Structure",
    "SummedSource",
    "SumsBeyond",
    "SwapsTables",
    "TakesWhole",
    "Target",
    "TargetTable",
    "TellsLatest",
    "Written",
]
