"""The search of a replica for values that masks should have taken away."""

from dbmask.cloner.residue.search import Search, allowed_residue, search

__all__ = ["Search", "allowed_residue", "search"]
