"""SQL without a database: the primitives that masks are made of, per dialect, and rewriting.

Knows sqlglot and nothing of dbmask.
"""
