"""Reading a pickled model: only from people one trusts, because a pickle runs code when it is loaded."""

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from slipway.errors import BundleError


@dataclass(frozen=True)
class Pickled:
    """What was in the file.

    Parameters
    ----------
    pipeline : estimator of scikit-learn
        Fitted.
    remarks : tuple of str
        What a reader must know, such as another version of a library.
    """

    pipeline: Any
    remarks: tuple[str, ...]


def read_pickled(path: Path, folder: Path) -> Pickled:
    """Load a model that joblib or pickle wrote. Loading runs code that the file names.

    Parameters
    ----------
    path : Path
    folder : Path
        Where modules of one's own are, beside slipway.yaml.

    Raises
    ------
    BundleError
        When it cannot be loaded, or is no fitted model.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = joblib.load(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ModuleNotFoundError as error:
        cure = f"Install it in the version of that training, or put its file beside slipway.yaml: {error.name}"
        raise BundleError(f"{path}: needs the module {error.name}, which is not here", cure) from error
    except AttributeError as error:
        cure = (
            "A class from a notebook has to be in a module beside slipway.yaml; one of a library needs that library's version"
        )
        raise BundleError(f"{path}: {error}", cure) from error
    except Exception as error:  # a pickle runs anything
        raise BundleError(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error
    if not hasattr(found, "predict"):
        raise BundleError(
            f"{path}: a {type(found).__name__} is no model", "Save the fitted pipeline: joblib.dump(pipeline, path)"
        )
    return Pickled(found, tuple(dict.fromkeys(_told(each.message) for each in caught)))


def _told(said: Warning | str) -> str:
    if isinstance(said, InconsistentVersionWarning):
        wrote, here = said.original_sklearn_version, said.current_sklearn_version
        return f"the file was written with scikit-learn {wrote}, and this is {here}: its answers may differ from those it gave"
    return str(said).splitlines()[0]
