"""Trainings as runs of MLflow, each with its model as a version: one run for each training, however often it is logged.

What broke off is completed in the same run by the next call, which knows a whole one by its tag. Where two processes log the
same training at once, each looks again after it has written: the later one finds both runs, and deletes all but one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from slipway.errors import BundleError
from slipway.export.mlflow_model import model_files, write_model
from slipway.export.model_version import ARTIFACTS, DIGEST, Source, Versions, quoted
from slipway.export.tracking_server import RUN, Server, brief
from slipway.export.training_run import COMMIT, JUDGED, PROBLEM, Contents, Training, contents_of
from slipway.model.bundle import Bundle
from slipway.problem import Problem
from slipway.store.local import LocalStore

if TYPE_CHECKING:
    from mlflow.entities import Run

WHOLE = "slipway.logged"  # tag of a run that lacks nothing
OF_A_VERSION = {DIGEST, PROBLEM, JUDGED, "slipway.verdict", "slipway.metric", "slipway.data", COMMIT}
PER_CALL = 100  # parameters, tags or metrics
PAGE = 500  # an answer takes seconds: a run has some hundred values


@dataclass(frozen=True)
class Logged:
    """What came of it.

    Parameters
    ----------
    runs : tuple of str
        Identities of the runs that were logged or completed now.
    number : str
        The version of the last training's bundle.
    new : bool
        Whether that version was made now.
    absent : tuple of str
        Digests of bundles that are damaged or not in the store, whose trainings are not there and were left out.
    without_alias : str
        Why the server set no alias; empty if it did, or there was nothing to set it on.
    doubles : tuple of str
        Identities of runs that were deleted, for another process logged the same training at the same moment.
    """

    runs: tuple[str, ...] = ()
    number: str = ""
    new: bool = False
    absent: tuple[str, ...] = ()
    without_alias: str = ""
    doubles: tuple[str, ...] = ()


def log_trainings(
    server: Server,
    problem: Problem,
    store: LocalStore,
    trainings: Sequence[Training],
    name: str = "",
    crowns: bool = True,
) -> Logged:
    """Log what is not there yet, the oldest first, register each model once, and let the alias follow the champion.

    Parameters
    ----------
    server : Server
    problem : Problem
    store : LocalStore
        With the bundles, and the pointer to the champion.
    trainings : sequence of Training
    name : str
        Of the registered model; by default that of the problem.
    crowns : bool
        Whether the alias follows the pointer.

    Raises
    ------
    StoreError
        When the store here cannot be read. What the server refuses is raised as MLflow does.
    """
    log, pointer, done = _Log(server, problem, store, name), store.pointer(), Logged()
    log.find(trainings)
    for training in trainings:
        wanted = bool(name) or pointer is not None and pointer.digest == training.digest
        try:
            done = log.add(training, done, wanted)
        except BundleError:
            done = replace(done, absent=(*done.absent, training.digest))
    if done.runs or log.made:
        done = log.single(done, trainings[-1].digest)
    if crowns and pointer and log.versions.number(pointer.digest):
        done = replace(done, without_alias=log.versions.crown(pointer.digest))
    return done


class _Log:
    def __init__(self, server: Server, problem: Problem, store: LocalStore, name: str) -> None:
        self._server, self._client, self._problem, self._store = server, server.client, problem, store
        self.versions = Versions(server.client, name or problem.name)
        self.made: dict[str, str] = {}  # versions, by digest
        self._there: dict[tuple[str, str], Run] = {}

    def find(self, trainings: Sequence[Training]) -> None:
        """Look for the runs of these trainings."""
        digests = {each.digest for each in trainings}
        runs = _runs(self._server, self._problem.name, digests.pop() if len(digests) == 1 else "")
        self._there = {_identity(run): run for run in sorted(runs, key=_weight)}  # of several, the last counts

    def add(self, training: Training, done: Logged, wanted: bool) -> Logged:
        """Log one training unless it is there, and register its model unless there is a version of its digest.

        A version, or a run, that somebody deleted stays away, unless the version is `wanted`.

        Raises
        ------
        BundleError
            When it is not there yet, and the bundle is damaged or not in the store.
        """
        run = self._there.get((training.digest, training.judged))
        number = self.versions.number(training.digest)
        if run and _is_whole(run) and (number or not wanted):
            return replace(done, number=number, new=False)
        if run and run.info.lifecycle_stage == "deleted":
            run = None
        bundle = self._store.bundle(training.digest)
        if bundle.damage:
            raise bundle.damage
        contents = contents_of(bundle, self._problem, training)
        run = run or self._given(training, contents) or self._made(training, contents)
        logs, new = not _is_whole(run), not number
        with self._ending(run, training):
            if logs:
                self._fill(run, bundle, training, contents)
            if new:
                tags = {key: value for key, value in contents.tags.items() if key in OF_A_VERSION}
                number = self.versions.add(Source(run.info.run_id, run.info.artifact_uri), tags, contents.description)
                self.made[training.digest] = number
        self._there[training.digest, training.judged] = self._client.get_run(run.info.run_id)
        return replace(done, runs=(*done.runs, *[run.info.run_id] * logs), number=number, new=new)

    def single(self, done: Logged, last: str) -> Logged:
        """Leave one version, and one run, of what another process has logged meanwhile, too: the same ones, whoever looks."""
        self.versions.give_way(self.made)
        number = self.versions.number(last) or done.number
        done = replace(done, number=number, new=self.made.get(last) == number)
        if not done.runs:
            return done
        now = [identity for identity, run in self._there.items() if run.info.run_id in done.runs]
        same: dict[tuple[str, str], list[Run]] = {identity: [] for identity in now}
        digests = {digest for digest, _ in now}
        for run in _runs(self._server, self._problem.name, digests.pop() if len(digests) == 1 else ""):
            if _identity(run) in same and _is_whole(run) and _is_ended(run):
                same[_identity(run)].append(run)
        doubles = [each for runs in same.values() for each in self._doubles(runs)]
        for each in doubles:
            self._client.delete_run(each)
        left = tuple(each for each in done.runs if each not in doubles)
        return replace(done, runs=left, doubles=tuple(doubles))

    def _doubles(self, runs: Sequence["Run"]) -> list[str]:
        """All but one, and but those with a version and that of mlflow run: a run that is deleted loses its files some day.

        The one that stays knows the commit, if any does.
        """
        if len(runs) < 2:
            return []
        stays = [each for each in runs if _is_of_project(each) or self.versions.come_from(each.info.run_id)]
        bare = sorted((each for each in runs if each not in stays), key=lambda run: (not _knows_commit(run), run.info.run_id))
        lacks = not stays or any(map(_knows_commit, bare)) and not any(map(_knows_commit, stays))
        return [each.info.run_id for each in bare[int(lacks) :]]

    @contextmanager
    def _ending(self, run: "Run", training: Training) -> Iterator[None]:
        """End the run when the block does, as failed or as whole; that of mlflow run ends with its program."""
        identity, own = run.info.run_id, run.info.run_id != self._server.environ.get(RUN)
        try:
            yield
        except BaseException:
            with suppress(Exception), brief(self._server.environ):  # what went wrong first is what is told
                if own:
                    self._client.set_terminated(identity, "FAILED", training.ended)
            raise
        if own:
            self._client.set_terminated(identity, "FINISHED", training.ended)
        self._client.set_tag(identity, WHOLE, "true")

    def _given(self, training: Training, contents: Contents) -> "Run | None":
        """The run that mlflow run has begun for this program, unless another training is in it."""
        given = self._server.environ.get(RUN)
        if not given or not training.here:
            return None
        run = self._client.get_run(given)
        if DIGEST in run.data.tags:
            return None
        self._tag(given, {key: value for key, value in contents.tags.items() if not key.startswith("mlflow.")})
        return run

    def _made(self, training: Training, contents: Contents) -> "Run":
        name = " ".join(filter(None, [training.digest[:12], str(training.said.get("outcome", ""))]))
        first = {key: contents.tags[key] for key in (DIGEST, PROBLEM, JUDGED) if key in contents.tags}
        run = self._client.create_run(self._server.experiment, training.begun, first, name)
        self._tag(run.info.run_id, contents.tags)
        return run

    def _tag(self, run: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        for some in _parts(tags.items()):
            self._client.log_batch(run, tags=[RunTag(*each) for each in some])

    def _fill(self, run: "Run", bundle: Bundle, training: Training, contents: Contents) -> None:
        """Parameters, metrics and files; the same values again change nothing, and other parameters would be refused."""
        from mlflow.entities import Metric, Param

        identity, when = run.info.run_id, training.ended
        params = [Param(*each) for each in contents.params.items() if each[0] not in run.data.params]
        for some in _parts(params):
            self._client.log_batch(identity, params=some)
        for measures in _parts(contents.metrics):
            metrics = [Metric(each.name, each.value, when, each.step) for each in measures]
            self._client.log_batch(identity, metrics=metrics)
        with TemporaryDirectory(prefix="slipway-") as folder:
            files = {f"{ARTIFACTS}/{path}": content for path, content in model_files(bundle, self._problem).items()}
            write_model(dict(contents.files) | files, Path(folder) / "run")
            self._client.log_artifacts(identity, str(Path(folder) / "run"))


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    """As many at a time as a call takes."""
    every = list(values)
    return (every[begin : begin + PER_CALL] for begin in range(0, len(every), PER_CALL))


def _identity(run: "Run") -> tuple[str, str]:
    return run.data.tags.get(DIGEST, ""), run.data.tags.get(JUDGED, "")


def _is_whole(run: "Run") -> bool:
    return WHOLE in run.data.tags


def _is_of_project(run: "Run") -> bool:
    """Whether mlflow run made it: what else its program logged is in there, too."""
    return bool(run.data.tags.get("mlflow.source.type") == "PROJECT")


def _knows_commit(run: "Run") -> bool:
    return COMMIT in run.data.tags


def _weight(run: "Run") -> tuple[bool, bool]:
    return _is_whole(run), run.info.lifecycle_stage == "active"


def _is_ended(run: "Run") -> bool:
    """Whether it is there, and no program of mlflow run is in it."""
    return (run.info.lifecycle_stage, run.info.status) == ("active", "FINISHED")


def _runs(server: Server, problem: str, digest: str) -> Iterator["Run"]:
    """The runs of a problem, or of a bundle, in any experiment; deleted ones, too: who deletes one does not want it again."""
    from mlflow.entities import ViewType

    experiments = [each.experiment_id for each in _pages(server.client.search_experiments, max_results=PAGE)]
    wanted = f"tags.`{PROBLEM}` = {quoted(problem)}" + (f" and tags.`{DIGEST}` = {quoted(digest)}" if digest else "")
    asked = {"filter_string": wanted, "run_view_type": ViewType.ALL}
    yield from _pages(server.client.search_runs, experiments, max_results=PAGE, **asked)


def _pages(search: Any, *given: Any, **named: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(*given, page_token=token, **named)
        yield from page
        if not (token := page.token):
            return
