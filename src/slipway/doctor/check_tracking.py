"""MLflow: does the server that the environment names answer?"""

from collections.abc import Callable, Mapping

from slipway.doctor.finding import FAILED, OK, Finding
from slipway.errors import SlipwayError
from slipway.export.tracking_server import ADDRESS, ping


def check(environ: Mapping[str, str], answers: Callable[[], str] = ping) -> list[Finding]:
    """A finding where a server is named; none, and nothing of MLflow is imported, where none is."""
    if not environ.get(ADDRESS):
        return []
    try:
        return [Finding("MLflow", OK, f"{answers()} answers: each training is logged there")]
    except SlipwayError as error:
        return [Finding("MLflow", FAILED, error.cause, error.cure)]
