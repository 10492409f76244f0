"""A bundle as a version of a registered model: one version for each digest, and the champion among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slipway.export.tracking_server import line

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIGEST, CHAMPION, STAGE = "slipway.digest", "slipway.champion", "slipway.stage"  # tags of a version
ALIAS = "champion"
ARTIFACTS = "model"  # their path in the run
PRODUCTION, ARCHIVED, NO_STAGE = "Production", "Archived", "None"  # as MLflow 2 called its stages
PAGE = 200


@dataclass(frozen=True)
class Source:
    """The run that a version comes from, with the identity and the address of its artifacts."""

    run: str
    artifacts: str


class Versions:
    """The versions of a registered model.

    Parameters
    ----------
    client : mlflow.MlflowClient
    name : str
        Of the model; it need not exist yet.
    """

    def __init__(self, client: "MlflowClient", name: str) -> None:
        self._client, self.name = client, name
        self._known = self._listed()

    def _listed(self) -> list[Any]:
        """All of them, the oldest first. Azure ML cannot search by tag, and may leave tags out."""
        from mlflow.exceptions import MlflowException

        found: list[Any] = []
        token = None
        while True:
            try:
                page = self._client.search_model_versions(f"name={quoted(self.name)}", max_results=PAGE, page_token=token)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # of the model; MLflow's own server finds nothing instead
                    return []
                raise
            found += [each if each.tags else self._client.get_model_version(self.name, each.version) for each in page]
            if not (token := page.token):
                return sorted(found, key=lambda each: int(each.version))

    def number(self, digest: str) -> str:
        """The first version of a digest, empty if there is none; one whose registration broke off does not count."""
        ready = (each for each in self._known if each.status == "READY" and each.tags.get(DIGEST) == digest)
        return str(next((each.version for each in ready), ""))

    def add(self, source: Source, tags: dict[str, str], description: str) -> str:
        """The number of a new version."""
        self._require_model()
        made = self._client.create_model_version(
            self.name,
            f"{source.artifacts}/{ARTIFACTS}",
            source.run,
            tags=tags | _marks({}, champion=False),
            description=description or None,
        )
        self._known.append(self._client.get_model_version(self.name, made.version))
        return str(made.version)

    def give_way(self, made: Mapping[str, str]) -> None:
        """Delete versions that were made just now, by digest, where another process had made one meanwhile."""
        self._known = self._listed()
        late = {number for digest, number in made.items() if int(self.number(digest) or number) < int(number)}
        for number in late:
            self._client.delete_model_version(self.name, number)
        self._known = [each for each in self._known if str(each.version) not in late]

    def come_from(self, run: str) -> bool:
        """Whether a version comes from a run, also one of another model."""
        return bool(self._client.search_model_versions(f"run_id='{run}'", max_results=1))

    def _require_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
                raise

    def crown(self, digest: str) -> str:
        """Give the version of a digest the alias and the tags of the champion; why there is no alias, empty if there is."""
        from mlflow.exceptions import MlflowException

        number = self.number(digest)
        for each in self._known:
            for key, value in _marks(each.tags, str(each.version) == number).items():
                if each.tags.get(key) != value:
                    self._client.set_model_version_tag(self.name, each.version, key, value)
        try:
            self._client.set_registered_model_alias(self.name, ALIAS, number)
        except (MlflowException, NotImplementedError) as error:  # Azure ML has none
            return line(error)
        return ""


def _marks(tags: dict[str, str], champion: bool) -> dict[str, str]:
    """What tags say of the champion, and of the others, those that were it before among them."""
    was = tags.get(CHAMPION) == "true" or tags.get(STAGE) == ARCHIVED
    return {CHAMPION: str(champion).lower(), STAGE: PRODUCTION if champion else ARCHIVED if was else NO_STAGE}


def quoted(text: str) -> str:
    """A text in a filter of MLflow, which knows no escapes."""
    return f'"{text}"' if "'" in text else f"'{text}'"
