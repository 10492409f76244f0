"""Who a box is for AWS: the keys in its environment, or the role of its instance, by the metadata service (IMDSv2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.request import ProxyHandler, Request, build_opener

from slipway.errors import ReleaseError

METADATA = "http://169.254.169.254"
ROLE = "/latest/meta-data/iam/security-credentials/"
SECONDS = 5
KEYS = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
CURE = f"Give the instance a role (docs/ec2.md), or set {KEYS} in /etc/slipway/aws.env"


@dataclass(frozen=True)
class Credentials:
    """Of AWS: `token` is empty for those that do not expire."""

    key: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def identify(environ: Mapping[str, str]) -> tuple[Credentials, str]:
    """Credentials and region of this machine.

    Parameters
    ----------
    environ : mapping of str to str
        The names that AWS's own clients read; ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` is another metadata service.

    Raises
    ------
    ReleaseError
        If there are none.
    """
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    try:
        if key and secret:
            credentials, ask = Credentials(key, secret, environ.get("AWS_SESSION_TOKEN", "")), None
        else:
            ask = _Metadata(environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or METADATA)
            found = json.loads(ask(ROLE + ask(ROLE).split()[0]))
            credentials = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
        region = region or (ask or _Metadata(METADATA))("/latest/meta-data/placement/region").strip()
    except (OSError, HTTPException, ValueError, KeyError, TypeError, IndexError) as error:
        raise ReleaseError(f"this machine has no credentials of AWS, or no region ({type(error).__name__})", CURE) from error
    return credentials, region


class _Metadata:
    """Answers of the metadata service, without the proxy that the environment may name."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._open = build_opener(ProxyHandler({})).open
        asked = Request(f"{self._address}/latest/api/token", method="PUT")
        asked.add_header("X-aws-ec2-metadata-token-ttl-seconds", "60")
        self._token = self._read(asked)

    def __call__(self, path: str) -> str:
        return self._read(Request(self._address + path, headers={"X-aws-ec2-metadata-token": self._token}))

    def _read(self, asked: Request) -> str:
        with self._open(asked, timeout=SECONDS) as answer:
            content: bytes = answer.read(1 << 16)
        return content.decode()
