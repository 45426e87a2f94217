"""Masked queries over PostgreSQL: what is installed in the database holds raw data in, the server in front makes queries work."""
