"""Masks: one file and one class each, all on the contract of :mod:`dbmask.masks.base`."""
