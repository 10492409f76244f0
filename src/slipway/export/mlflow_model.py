"""A bundle as the files of an MLflow model, which load by code: https://mlflow.org/docs/latest/ml/model/models-from-code/.

They are written without MLflow, so that the same bundle and libraries give the same files, and no path of this machine is in
them.
"""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import yaml

import slipway
from slipway.errors import StoreError
from slipway.model.bundle import SERVING, Bundle
from slipway.model.contents import Model, model_of, schema_of
from slipway.model.exported import Exported
from slipway.problem import Problem
from slipway.table.schema import Schema

MLFLOW = "mlflow>=3.15,<4"  # MLflow 2 refuses the texts of pandas 3
LIBRARIES = ("msgspec", "numpy", "onnxruntime", "pandas", "pyyaml")  # what the code below imports
ROOMS = ("model", "table")  # which, by the plan of the house, import nothing of Slipway but each other and the ground
CODE = "model_code.py"
BUNDLE, ANSWERING = "artifacts/bundle", "artifacts/answering.json"


def model_files(bundle: Bundle, problem: Problem) -> dict[str, bytes]:
    """The files of the MLflow model by path, the same for the same bundle, settings and libraries.

    Raises
    ------
    BundleError
        When a file of the bundle is absent or damaged.
    """
    schema = schema_of(bundle)
    missing = {name: problem.markers(name) for name in schema.names}
    exported = Exported(bundle.digest, problem.serving, dict(problem.limits), missing)
    files = {
        "MLmodel": _yaml(_mlmodel(bundle, schema, model_of(bundle))),
        CODE: (Path(__file__).parent / CODE).read_bytes(),
        ANSWERING: msgspec.json.format(msgspec.json.encode(exported)) + b"\n",
        "requirements.txt": "".join(f"{line}\n" for line in requirements()).encode(),
        "python_env.yaml": _yaml({"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}),
        "conda.yaml": _yaml(_conda()),
    }
    return files | {f"{BUNDLE}/{name}": _of_bundle(bundle, name) for name in bundle.carried(SERVING)} | code_files()


def code_files() -> dict[str, bytes]:
    """The part of Slipway that answers, as the model carries it in ``code/``."""
    package = Path(slipway.__file__).parent
    found = [*package.glob("*.py"), *(path for room in ROOMS for path in (package / room).rglob("*.py"))]
    return {f"code/slipway/{path.relative_to(package).as_posix()}": path.read_bytes() for path in sorted(found)}


def requirements() -> list[str]:
    """What must be installed where the model is loaded: MLflow, and the versions of the libraries that are here."""
    return [MLFLOW, *(f"{name}=={found}" if (found := _version(name)) else name for name in LIBRARIES)]


def write_model(files: dict[str, bytes], folder: Path) -> None:
    """Write the files to a folder that is absent or empty, all or none; StoreError when it is not, or cannot be written."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StoreError(f"{folder}: exists, and is not an empty folder", "Name another folder, or delete this one")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as draft:
            model = Path(draft) / "model"
            for name, content in files.items():
                (model / name).parent.mkdir(parents=True, exist_ok=True)
                (model / name).write_bytes(content)
            os.replace(model, folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from error


def _mlmodel(bundle: Bundle, schema: Schema, model: Model) -> dict[str, object]:
    flavor = {
        "artifacts": {
            "answering": {"path": ANSWERING, "uri": ANSWERING},
            "bundle": {"path": BUNDLE, "uri": BUNDLE},
        },
        "code": "code",
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.pyfunc.loaders.code_model",
        "model_code_path": CODE,
        "python_version": platform.python_version(),
        "streamable": False,
    }
    return {
        "artifact_path": "model",
        "flavors": {"python_function": flavor},
        "metadata": {"slipway_digest": bundle.digest, "slipway_problem": bundle.problem, "slipway_task": model.task},
        "model_uuid": bundle.digest[:32],
        "signature": {"inputs": json.dumps(_inputs(schema)), "outputs": json.dumps(_outputs(model)), "params": None},
    }


def _inputs(schema: Schema) -> list[dict[str, object]]:
    """Integers are doubles, as MLflow advises: as a long it would read 19.5 as 19, and refuse a column with missing cells."""
    return [
        {"type": "double" if field.is_number else "string", "name": field.name, "required": not field.optional}
        for field in schema
    ]


def _outputs(model: Model) -> list[dict[str, object]]:
    kinds = {"prediction": "string" if model.classes else "double"}
    kinds |= {f"probability_{label}": "double" for label in model.classes}
    return [{"type": kind, "name": name, "required": True} for name, kind in kinds.items()]


def _conda() -> dict[str, object]:
    python = f"python={platform.python_version()}"
    return {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": requirements()}]}


def _of_bundle(bundle: Bundle, name: str) -> bytes:
    return bundle.read(name) if bundle.has(name) else (bundle.folder / name).read_bytes()  # no list vouches for the manifest


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _yaml(document: dict[str, object]) -> bytes:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1 << 20).encode()
