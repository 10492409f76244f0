"""What no problem may say: columns in roles that exclude one another, and tables of servers that are named by halves."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from slipway import sections
from slipway.errors import ProblemError

SELECT = re.compile(r"(\s|\(|--[^\n]*\n|/\*(?:(?!\*/).)*\*/)*(SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE | re.DOTALL)


def check_columns(target: str, roles: Mapping[str, Collection[str]], log: sections.Log, path: Path) -> None:
    """Refuse a column in two roles that exclude one another; `roles` are id, group, drop and time."""
    for name, columns in roles.items():
        if target in columns:
            raise ProblemError(f"{path}: {name}: {target} is the target", f"Take it out of {name}")
    for one, other, cure in (
        ("id", "drop", "An id is not learned from anyway"),
        ("group", "drop", "A group is not learned from anyway"),
        ("id", "group", "Take it out of id"),
    ):
        both = sorted(set(roles[one]) & set(roles[other]))
        if both:
            raise ProblemError(f"{path}: {both[0]} is in {one} and in {other}", cure)
    if both := sorted(set(log.omit) & set(log.hash)):
        raise ProblemError(f"{path}: {both[0]} is in log.omit and in log.hash", "Take it out of one of them")
    if roles["time"] and roles["group"]:
        raise ProblemError(
            f"{path}: time and group exclude one another: held out are the latest rows, of known groups and of new ones, as "
            "production will meet them",
            f"Take group out, and put {', '.join(roles['group'])} in drop so that it is not learned from",
        )


def check_collection(source: Sequence[str], named: sections.Collection, path: Path) -> None:
    """Refuse a section ``mongodb`` that names no collection, and other entries beside it."""
    if len(source) > 1:
        raise ProblemError(f"{path}: source: mongodb cannot be one table together with files", "Name only mongodb")
    for name in ("database", "collection"):
        if getattr(named, name) is None:
            raise ProblemError(f"{path}: mongodb.{name} is missing", "source: mongodb needs it")


def check_sql(source: Sequence[str], named: sections.Sql, path: Path) -> None:
    """Refuse a section ``sql`` that names no table, or two, or what is no SELECT, and other entries beside it."""
    if len(source) > 1:
        raise ProblemError(f"{path}: source: sql cannot be one table together with other entries", "Name only sql")
    table, query = named.table, named.query
    if table is None and query is None:
        raise ProblemError(f"{path}: sql.table is missing", "source: sql needs it, or a SELECT in sql.query")
    if table is not None and query is not None:
        raise ProblemError(f"{path}: sql.table and sql.query exclude one another", "Remove one of them")
    if query is not None and not SELECT.match(query):
        raise ProblemError(f"{path}: sql.query: expected a SELECT", "It may begin with WITH; nothing else is run")
