"""The search of a replica for values that masks should have taken away."""

from dbmask.cloner.residue.search import allowed_residue, search

__all__ = ["allowed_residue", "search"]
