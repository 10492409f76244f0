"""For tools that look for this file; what it would say is in pyproject.toml."""

from setuptools import setup

setup()
