"""A table of an SQL database as a command line names it: sql:TABLE, of the database whose URL is in a variable."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from slipway.errors import ProblemError

if TYPE_CHECKING:
    from slipway import problem, sections
    from slipway.training.data.sample import Sample

PREFIX = "sql:"


def is_database(text: str) -> bool:
    """Whether an argument means a table of an SQL database; ProblemError for a URL, which ps and the history show."""
    from slipway.sources.sql_server import DIALECTS

    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower().removeprefix(PREFIX).partition("+")[0] in DIALECTS:
        cure = "Set DATABASE_URL to the URL of the database, and name the table as sql:TABLE"
        raise ProblemError(f"{scheme}: a URL on the command line is shown by ps and kept in the shell history", cure)
    return text.startswith(PREFIX)


def section_of(text: str, settings: "Callable[[], sections.Sql]") -> dict[str, Any]:
    """What slipway.yaml says of sql:TABLE; `settings` has the variable with the URL."""
    from slipway.sections import Sql

    table = text.removeprefix(PREFIX)
    if not table:
        raise ProblemError(f"{PREFIX} names no table", "Use sql:TABLE, or sql:SCHEMA.TABLE")
    url = settings().url
    return {"source": "sql", "sql": ({} if url == Sql().url else {"url": url}) | {"table": table}}


def sample_of(draft: "problem.Problem", needed: Collection[str]) -> "tuple[Sample, dict[str, str]]":
    """A sample of the table, and which columns no table can have and why; TableError when one of them is `needed`."""
    from slipway.sources.sql import UnfitColumn, open_table
    from slipway.sources.sql_server import place
    from slipway.training.data.sample import draw

    unfit: dict[str, str] = {}
    batches = open_table(draft.sql)
    while True:
        try:
            return draw(batches, batches.names, draft.sample.cells // len(batches.names), place(draft.sql)), unfit
        except UnfitColumn as error:
            if error.field in needed:
                raise
            unfit[error.field] = error.why
            batches = open_table(draft.sql, set(batches.names) - {error.field})
