"""A third party's package: a connector that inherits nothing, and a mask."""
