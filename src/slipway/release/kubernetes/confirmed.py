"""Which release was live last: the one that was confirmed, not the one that was applied last."""

from collections.abc import Mapping
from typing import Any

from slipway.release.kubernetes.kubectl import Kubectl
from slipway.release.kubernetes.workload import NAME, progress_of, version_of

CONFIRMED = "slipway/confirmed"
NOTER = "slipway-confirmed"  # a field manager of its own, so that no apply removes the note
REVISION = "deployment.kubernetes.io/revision"


def confirmed_id(deployment: Mapping[str, Any]) -> str:
    """Id of the release that answered at the public address last; empty if none is noted."""
    return str((deployment["metadata"].get("annotations") or {}).get(CONFIRMED, ""))


def confirmed(kubectl: Kubectl, found: Any) -> Any:
    """The Deployment with the template of the confirmed release; None if there is none.

    Without a note, it counts as confirmed when all its pods are available.
    """
    if found is None:
        return None
    noted = confirmed_id(found)
    if not noted:
        return found if progress_of(found).over else None
    if noted == version_of(found).release:
        return found
    template = _template(kubectl, noted)
    return template and {**found, "spec": {**found["spec"], "template": template}}


def note_confirmed(kubectl: Kubectl, release: str) -> None:
    """Note a release as the one to go back to."""
    kubectl("annotate", "deployment", NAME, f"{CONFIRMED}={release}", "--overwrite", f"--field-manager={NOTER}")


def _template(kubectl: Kubectl, release: str) -> Any:
    """The pod template of a release, from its newest ReplicaSet; None if it is gone."""
    items = (kubectl.json("get", "replicasets", f"--selector=app.kubernetes.io/name={NAME}") or {"items": []})["items"]
    own = [each for each in items if version_of(each).release == release]
    if not own:
        return None
    newest = max(own, key=lambda each: int((each["metadata"].get("annotations") or {}).get(REVISION, "0")))
    template = newest["spec"]["template"]
    labels = {name: value for name, value in template["metadata"]["labels"].items() if name != "pod-template-hash"}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}
