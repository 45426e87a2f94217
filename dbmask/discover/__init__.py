"""What a column seems to hold, and a policy that says how to mask it: the first draft, for people to read and change.

Doubt masks. A column is kept where something speaks for keeping it; where nothing is known it is masked, and where no
mask fits it is left out of the draft, so that the draft stops a run until somebody has decided.
"""

from __future__ import annotations

from dbmask.discover.draft import draft_policy
from dbmask.discover.propose import ColumnProposal, Proposal, propose

__all__ = ["ColumnProposal", "Proposal", "draft_policy", "propose"]
