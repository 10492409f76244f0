"""Packaging. What the service needs is in requirements.in; training and development come as extras."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """The names in a requirements file, without the files that it includes."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("-", "#"))]


setup(
    name="slipway-ml",  # slipway is another project on PyPI; import and command keep that name
    version=re.search(r'__version__ = "(.+)"', (HERE / "src/slipway/__init__.py").read_text(encoding="utf-8"))[1],
    description="Take a tabular model from a table to production, and back.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
    ],
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={"slipway.serving": ["templates/*.html", "templates/*/*.html", "static/*"]},
    install_requires=requirements("requirements.in"),
    extras_require={
        "train": requirements("requirements-train.in"),
        "dev": requirements("requirements-train.in") + requirements("requirements-dev.in"),
    },
    entry_points={"console_scripts": ["slipway = slipway.cli:main"]},
)
