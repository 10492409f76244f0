"""What SageMaker starts, ``docker run IMAGE serve``: the service on port 8080, with MLflow's protocol in any case.

Its contract: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import os
import sys
from collections.abc import MutableMapping

from slipway.errors import SlipwayError
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
    """Switch the protocol on, beside those that are on, and set the port unless it is set."""
    names = load_problem(environ=environ).serving.protocols
    environ[variable_of("serving.protocols")] = ",".join(dict.fromkeys([*names, "mlflow"]))
    environ.setdefault("PORT", PORT)


if __name__ == "__main__":
    sys.exit(main())
