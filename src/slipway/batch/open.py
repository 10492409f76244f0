"""From what the command says to a batch: the champion, the input, and how and where the answers are written."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from pyarrow import RecordBatch

from slipway.batch.input import Source, open_tables
from slipway.batch.output import CsvCells, CsvLines, Output, Packed, ParquetRows
from slipway.batch.place import Target, place, state
from slipway.batch.record import Record
from slipway.batch.regions import RegionRunner
from slipway.batch.run import Batch
from slipway.batch.scorer import Scorer
from slipway.batch.typed import Typed
from slipway.errors import BundleError, TableError
from slipway.model.bundle import Bundle
from slipway.model.contents import model_of
from slipway.model.evaluation import Intervals, evaluation_of
from slipway.model.intervals import levels
from slipway.model.runner import Runner
from slipway.model.tables import Predictor
from slipway.model.typed_document import Draft
from slipway.problem import Problem, problem_of
from slipway.sections import Sql
from slipway.sources.files import CSV, PARQUET
from slipway.sources.source import S3
from slipway.store.local import open_store
from slipway.table.rules import rules_of
from slipway.table.schema import fresh_names, require_columns

COLLECTION = "mongodb:"
SQL = "sql:"
SERVED = {COLLECTION: "the collection", SQL: "the table"}  # how an address of what a server has begins → how it is called
FOLDER = "batch"


def open_batch(
    problem: Problem,
    location: str,
    out: str,
    digits: str | None,
    strict: bool,
    rejects: str | None,
    level: float | None = None,
) -> Batch:
    """Everything that a batch needs, opened and checked; nothing is written yet.

    Parameters
    ----------
    problem : Problem
    location, out : str
        A path, a glob (of the input), ``s3://bucket/key``, ``mongodb:COLLECTION`` or ``sql:TABLE``.
    digits : str or None
        The start of a bundle's digest; None for the champion's.
    strict : bool
    rejects : str or None
        Where rows go that cannot be answered; by default beside the output.
    level : float, optional
        Of the prediction intervals to write beside the predictions.

    Raises
    ------
    SlipwayError
        When there is no such bundle, or one of the two cannot be what it has to be.
    """
    store = open_store(problem.folder)
    predictor = _loaded(problem, digits, RegionRunner)
    scorer = Scorer(predictor, rules_of(predictor.schema, problem), intervals_of(predictor.bundle, level), level)
    rejects = rejects or default_rejects(out)
    _check_places(location, out, rejects)
    folder = store.root / FOLDER
    if out.startswith(SQL):
        source, output, place_of_out = _to_table(problem, location, out, scorer, folder)
    else:
        source = _source(problem, location, out, scorer)
        output = _output(source, fresh_names(scorer.added, source.names), out)
        place_of_out = _place(problem, out, folder)
    settings = [problem.serving.unknown_levels, problem.serving.out_of_range, problem.missing, problem.limits, strict, level]
    job = {
        "the bundle": predictor.digest,
        "the place of the rejects": rejects,
        "the settings": settings,
        next((told for begin, told in SERVED.items() if location.startswith(begin)), "the input"): source.identity,
    }
    record = Record(place_of_out.unfinished.with_suffix(".partial.json"), job)
    return Batch(source, scorer, output, place_of_out, place(rejects, folder), record, strict)


def intervals_of(bundle: Bundle | Draft, level: float | None) -> Intervals | None:
    """Those of the bundle if a level is asked for; BundleError when it does not have that one."""
    if level is None:
        return None
    found = evaluation.intervals if (evaluation := evaluation_of(bundle)) else None
    if level in levels(found):
        return found
    if model_of(bundle).classes:
        why = "the model answers with the probability of each label, and prediction intervals are for numbers"
        raise BundleError(f"--interval: {why}", "Leave it out")
    if not found:
        raise BundleError("--interval: this bundle has no prediction intervals", "Train again to get them, or leave it out")
    known = ", ".join(f"{each:g}" for each in levels(found))
    raise BundleError(f"--interval {level:g}: this bundle has the levels {known}", "Ask for one of them")


def _source(problem: Problem, location: str, out: str, scorer: Scorer) -> Source:
    if location.startswith(SQL) and not out.startswith(COLLECTION):
        return _cells_of_table(_sql_settings(problem, location), location, scorer.needed)
    if not location.startswith(COLLECTION):
        if out.startswith(COLLECTION):
            cure = "Write a file, and load that with slipway load"
            raise TableError(f"{out}: only a collection is answered to a collection", cure)
        return open_tables(location, scorer.needed, whole=out.lower().endswith(PARQUET))
    from slipway.batch.collection import collection_of, open_cells, open_documents

    settings = collection_of(problem.mongodb, location.removeprefix(COLLECTION))
    if out.startswith(COLLECTION):
        return open_documents(settings, location, scorer.needed, scorer.added)
    return open_cells(settings, location, scorer.needed)


def _to_table(problem: Problem, location: str, out: str, scorer: Scorer, folder: Path) -> tuple[Source, Output, Target]:
    from slipway.sources.sql_server import engine_of

    engine = engine_of(problem.sql, writes=True)  # before the modules that need SQLAlchemy: it tells when that is absent
    from slipway.batch.sql_open import open_to_table

    read = _sql_settings(problem, location) if location.startswith(SQL) else None
    return open_to_table(problem, engine, read, location, out, scorer, folder)


def _sql_settings(problem: Problem, location: str) -> Sql:
    """The table that an address names; without a name the table or query of the section ``sql``."""
    if name := location.removeprefix(SQL):
        return replace(problem.sql, table=name, query=None)
    if not (problem.sql.table or problem.sql.query):
        raise TableError(f"{SQL} names no table", "Write sql:TABLE, or set sql.table or sql.query in slipway.yaml")
    return problem.sql


def _cells_of_table(settings: Sql, location: str, needed: tuple[str, ...]) -> Source:
    """The columns of a table or query, in the order in which the database gives them."""
    from slipway.sources.sql import UnfitColumn, open_table

    batches = open_table(settings)

    def read() -> Iterator[RecordBatch]:
        try:
            yield from batches.read()
        except UnfitColumn as error:
            raise TableError(error.cause, "Leave it out with sql.query, or write to a table") from None

    require_columns(f"{location}:", batches.names, needed)
    part = Typed(location, batches.rows, batches.names, read)
    return Source(location, batches.names, (part,), (batches.rows or 0,), None, batches.consistent)


def _place(problem: Problem, out: str, folder: Path) -> Target:
    if not out.startswith(COLLECTION):
        return place(out, folder)
    from slipway.batch.collection import CollectionPlace, collection_of

    settings = collection_of(problem.mongodb, out.removeprefix(COLLECTION))
    return CollectionPlace(out, settings, state(f"{settings.database} {out}", folder))


def load_champion(problem: Problem | Mapping[str, Any] | str | Path | None = None, digest: str | None = None) -> Predictor:
    """The model that production serves, verified, and its golden predictions replayed.

    Parameters
    ----------
    problem : Problem, path or mapping, optional
        By default slipway.yaml in this folder. A mapping of settings, as for `train`, finds ``artifacts/`` in this folder.
    digest : str, optional
        The start of another bundle's digest.

    Raises
    ------
    StoreError
        When there is no champion, or no such bundle.
    BundleError
        When it is damaged, of another problem, or answers otherwise than when it was trained.
    """
    return _loaded(problem_of(problem), digest, Runner)


def _loaded(problem: Problem, digest: str | None, runner: type[Runner]) -> Predictor:
    predictor = Predictor(find_bundle(problem, digest), runner)
    predictor.replay()
    return predictor


def find_bundle(problem: Problem, digest: str | None) -> Bundle:
    """The champion's bundle, or the one whose digest starts so, verified; StoreError or BundleError as `load_champion`."""
    return open_store(problem.folder).chosen(problem.name, digest or None)


def default_rejects(out: str) -> str:
    """Beside the output, the same name with ``.rejects.csv``."""
    for begin in SERVED:
        if out.startswith(begin):
            return f"{out.removeprefix(begin)}.rejects.csv"
    for ending in sorted((*CSV, *PARQUET), key=len, reverse=True):
        if out.lower().endswith(ending):
            return f"{out[: -len(ending)]}.rejects.csv"
    return f"{out}.rejects.csv"


def _check_places(location: str, out: str, rejects: str) -> None:
    for name, written in (("OUT", out), ("the file of rejects", rejects)):
        if _same(location, written):
            raise TableError(f"{written}: {name} would overwrite IN", "Write to another place")
    if _same(out, rejects):
        raise TableError(f"{out}: is OUT and the file of rejects", "Name another file with --rejects")
    if any(_same(f"{out}.{ending}", rejects) for ending in ("partial", "partial.json", "partial.parquet", "lock")):
        raise TableError(f"{rejects}: has the name of an unfinished OUT", "Name another file with --rejects")


def _same(location: str, written: str) -> bool:
    if any(begin in location + written for begin in (S3, *SERVED)):
        read = location
    else:
        read, written = str(Path(location).resolve()), str(Path(written).resolve())
    deep = "**" in read or read.count("/") == written.count("/")  # only ** stands for folders
    return read == written or deep and fnmatch(written, read)


def _output(source: Source, added: tuple[str, ...], out: str) -> Output:
    if out.startswith(COLLECTION):
        from slipway.batch.collection import Upserts

        return Upserts(added)
    name = out.lower()
    if name.endswith(PARQUET):
        return ParquetRows(added)
    if not name.endswith(CSV):
        raise TableError(f"{out}: is neither CSV ({', '.join(CSV)}) nor Parquet ({', '.join(PARQUET)}) by its name")
    sheet = source.sheet
    output = CsvCells(source.names, added) if sheet is None else CsvLines(sheet.file.header, added)
    return Packed(output) if name.endswith(".gz") else output
