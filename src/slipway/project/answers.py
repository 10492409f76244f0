"""What a repository was made with; `slipway upgrade` makes it again from these."""

import re
import sys
from keyword import iskeyword

import msgspec

OURS = ("app", "setup", "slipway", "tests")
LIBRARIES = (  # what Slipway imports: a package of that name in src/ would come before it
    *("boto3", "click", "flasgger", "flask", "gunicorn", "jinja2", "joblib", "msgspec", "numpy", "onnx", "onnxruntime"),
    *("pandas", "psycopg", "pyarrow", "pymongo", "pymysql", "pyspark", "pytest", "scipy", "sklearn", "sqlalchemy"),
    *("threadpoolctl", "xgboost", "yaml"),
)


class Answers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the templates ask.

    Attributes
    ----------
    name : str
        Of the repository, and of the problem.
    data : str
        The table that is committed, such as ``data/churn.csv``; empty if none is.
    private : str
        The table that is in the folder, outside data/, and not committed; empty if there is none.
    vendored : bool
        Whether the wheel of Slipway is in vendor/.
    heroku : bool
        Whether the files for Heroku are there.
    roads : tuple of str
        Roads beyond the box, and CI systems, whose files are in deploy/ (`slipway.project.roads.FOLDERS`).
    source : bool
        Whether Slipway's own source is in src/: only in the repository of Slipway itself.
    extras : tuple of str
        Extras of slipway-ml whose libraries are in the lock of training (`slipway.extras.extras_of`).
    """

    name: str
    data: str = ""
    private: str = ""
    vendored: bool = True
    heroku: bool = False
    roads: tuple[str, ...] = ()
    source: bool = False
    extras: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The package in src/ for candidates of one's own."""
        plain = re.sub(r"\W+", "_", self.name.lower()).strip("_")
        taken = iskeyword(plain) or plain in sys.stdlib_module_names or plain in (*OURS, *LIBRARIES)
        return plain if plain.isidentifier() and not taken else f"model_{plain}"
