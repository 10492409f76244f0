"""The public table that the insurance sample imitates, from where tutorials read it."""

import csv
from http.client import HTTPException
from urllib.request import urlopen

from slipway.errors import TableError

URL = "https://raw.githubusercontent.com/stedy/Machine-Learning-with-R-datasets/master/insurance.csv"
HEADER = ["age", "sex", "bmi", "children", "smoker", "region", "charges"]
ROWS = 1_338
SECONDS = 30
CURE = "Without --real a table with the same columns is generated"


def insurance() -> bytes:
    """The table as it is published.

    Raises
    ------
    TableError
        When it cannot be fetched, or is not the table any more.
    """
    try:
        with urlopen(URL, timeout=SECONDS) as answer:
            content: bytes = answer.read()
    except (OSError, HTTPException) as error:
        raise TableError(f"{URL}: cannot be fetched ({getattr(error, 'reason', error)})", CURE) from error
    header, *rows = list(csv.reader(content.decode(errors="replace").splitlines())) or [[]]
    if header != HEADER or len(rows) != ROWS or any(len(row) != len(HEADER) for row in rows):
        raise TableError(f"{URL}: expected {ROWS:,} rows of {', '.join(HEADER)}; it is another table now", CURE)
    return content
