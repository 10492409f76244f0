"""Who a task is for AWS: its task role, by the address that ECS gives to each of its containers."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from slipway.errors import ReleaseError
from slipway.release.box.instance import Credentials

ECS = "http://169.254.170.2"
PATH, ADDRESS = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
SECONDS = 5
CURE = "Run it in a task of ECS with a task role, as deploy/fargate/service.yaml has it"


def identify_task(environ: Mapping[str, str]) -> tuple[Credentials, str]:
    """Credentials and region of this task; the credentials last for some hours.

    Parameters
    ----------
    environ : mapping of str to str
        With ``AWS_CONTAINER_CREDENTIALS_RELATIVE_URI``, which ECS sets, or a whole address in
        ``AWS_CONTAINER_CREDENTIALS_FULL_URI``, and ``AWS_REGION``.

    Raises
    ------
    ReleaseError
        If there are none.
    """
    try:
        address = environ.get(ADDRESS) or ECS + environ[PATH]
        with build_opener(ProxyHandler({})).open(address, timeout=SECONDS) as answer:
            found = json.loads(answer.read(1 << 16))
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"]), environ["AWS_REGION"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise ReleaseError(f"this task has no credentials of AWS, or no region ({type(error).__name__})", CURE) from error
