"""The overlay on top of the user's: namespace, image by digest, and the annotations of the release."""

import json
import os
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.kubernetes.workload import NAME, Version

FILE = "kustomization.yaml"
LOCK = "slipway/release-lock"  # label of the Deployment: it is applied alone, and before all others


def require_overlay(overlay: Path) -> None:
    """ReleaseError if the folder is no kustomization."""
    if not (overlay / FILE).is_file():
        raise ReleaseError(f"{overlay}: no {FILE} there", "Name a folder of deploy/kubernetes with --overlay")


def write_overlay(folder: Path, overlay: Path, namespace: str, version: Version, known: str) -> None:
    """Write a kustomization to `folder`, which is JSON and so YAML.

    Parameters
    ----------
    overlay : Path
        What it adds to.
    known : str
        Resource version of the live Deployment: apply fails if it has changed since; empty if there is none.
    """
    image, _, digest = version.image.partition("@")
    metadata: dict[str, Any] = {"name": NAME, "labels": {LOCK: ""}} | ({"resourceVersion": known} if known else {})
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"template": {"metadata": {"annotations": version.annotations()}}},
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [os.path.relpath(overlay.resolve(), folder.resolve())],  # it refuses absolute paths
        "images": [{"name": "slipway", "newName": image, "digest": digest}],
        "patches": [{"patch": json.dumps(patch)}],
    }
    (folder / FILE).write_text(json.dumps(kustomization, indent=2), encoding="utf-8")
