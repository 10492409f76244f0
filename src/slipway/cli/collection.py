"""A MongoDB collection as a command line names it: mongodb:COLLECTION, or mongodb://HOST/DATABASE/COLLECTION."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from slipway.errors import ProblemError

if TYPE_CHECKING:
    from slipway import problem, sections
    from slipway.training.data.sample import Sample

CURE = "Use mongodb://HOST/DATABASE/COLLECTION, or mongodb:COLLECTION with the server and database of slipway.yaml"
SCHEMES = ("mongodb", "mongodb+srv")
HOST = r"(\[[^]/@]+\]|[^][:/@,]+)(:\d+)?"
HOSTS = re.compile(f"{HOST}(,{HOST})*")


@dataclass(frozen=True)
class Named:
    """A collection; `url` is the server's, with its password, and `where` is what messages call the server."""

    url: str = field(repr=False)
    where: str
    database: str
    collection: str


def is_collection(text: str) -> bool:
    """Whether an argument means a collection, however well."""
    return text.partition(":")[0] in SCHEMES


def named(text: str, argument: str, settings: "Callable[[], sections.Collection]") -> Named:
    """The collection that `argument` of a command names.

    Parameters
    ----------
    text, argument : str
        What was given, and for what.
    settings : callable
        () → the server and database of mongodb:COLLECTION.

    Raises
    ------
    ProblemError
        Without what was given: it may have a password.
    """
    from slipway.sources.mongodb import server_url

    scheme, separator, rest = text.partition("://")
    if separator:
        return _of_url(scheme, rest, argument)
    collection = text.removeprefix("mongodb:")
    if collection in (text, "") or "@" in collection:  # nothing of it is shown: a URL without its start has a password
        raise ProblemError(f"{argument}: not a MongoDB collection", CURE)
    there = settings()
    if not there.database:
        cure = f"Set it in slipway.yaml or as SLIPWAY_MONGODB_DATABASE, or use mongodb://HOST/DATABASE/{collection}"
        raise ProblemError("mongodb.database is missing", cure)
    return Named(server_url(there), there.url, there.database, collection)


def section_of(text: str, collection: Named) -> dict[str, Any]:
    """What slipway.yaml says of a collection: never the URL, which may have a password."""
    from slipway.sections import Collection as MongoSettings

    variable = {} if "://" in text or collection.where == MongoSettings().url else {"url": collection.where}
    return {"source": "mongodb", "mongodb": variable | {"database": collection.database, "collection": collection.collection}}


def sample_of(draft: "problem.Problem", collection: Named, needed: Collection[str]) -> "tuple[Sample, dict[str, str]]":
    """A sample of a collection, and which fields cannot be columns and why; TableError when one of them is `needed`."""
    from msgspec.structs import replace

    from slipway.sources.mongodb import UnfitField, open_collection, place
    from slipway.training.data.sample import draw

    settings = replace(draft.mongodb, url=collection.where)
    unfit: dict[str, str] = {}
    while True:
        batches = open_collection(settings, without=unfit, server=collection.url)
        try:
            return draw(batches, batches.names, draft.sample.cells // len(batches.names), place(settings)), unfit
        except UnfitField as error:
            if error.field in needed or error.field in unfit:
                raise
            unfit[error.field] = error.why


def _of_url(scheme: str, rest: str, argument: str) -> Named:
    if scheme not in SCHEMES:
        raise ProblemError(f"{scheme}: not a MongoDB collection", CURE)
    address, _, options = rest.partition("?")
    server, *names = address.split("/")
    user, _, hosts = server.rpartition("@")
    # of one that is wrong nothing is shown: a / of the password was taken for the path, or the password for a port
    if len(names) != 2 or not all(names) or "@" in "".join(names) or not HOSTS.fullmatch(hosts):
        raise ProblemError(f"{argument}: not a valid URL of a MongoDB collection", CURE)
    if ":" in user:
        note = "Note: ps and the shell history show the password in this command. Set MONGO_DB_URL, and"
        click.echo(f"{note} use mongodb:COLLECTION.", err=True)
    database, collection = map(unquote, names)
    return Named(f"{scheme}://{server}/{names[0]}?{options}", hosts, database, collection)
