"""What SageMaker starts, ``docker run IMAGE serve``: the service on port 8080, with MLflow's protocol in any case.

Its contract: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import os
import sys
from collections.abc import MutableMapping

from slipway.api_keys import FILE, VARIABLE
from slipway.errors import ServingError, SlipwayError
from slipway.problem import load_problem
from slipway.settings import variable_of

PORT = "8080"


def main() -> int:
    """Serve until a signal ends it; the exit code."""
    try:
        prepare(os.environ)
        from slipway.serving.server import run  # reads the port when it is imported

        run("app:app")
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def prepare(environ: MutableMapping[str, str]) -> None:
    """Switch the protocol on, beside those that are on, and set the port unless it is set.

    Raises
    ------
    ServingError
        When keys are asked for: SageMaker forwards none, and its alarms see no 401.
    """
    for variable in (VARIABLE, FILE):
        if environ.get(variable):
            says = f"{variable} is set, and SageMaker forwards no key: every call would be refused"
            raise ServingError(says, "Unset it: SageMaker checks callers by IAM. Elsewhere start the image without `serve`")
    names = load_problem(environ=environ).serving.protocols
    environ[variable_of("serving.protocols")] = ",".join(dict.fromkeys([*names, "mlflow"]))
    environ.setdefault("PORT", PORT)


if __name__ == "__main__":
    sys.exit(main())
