"""One module per database, each with a ``CONNECTOR``; found by listing this package."""
