"""Slipway takes a tabular model from a table to production, and back."""

__version__ = "0.1.0"
