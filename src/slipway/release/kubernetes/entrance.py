"""Where users reach the service: its URL, and the object that knows the address of the load balancer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.kubernetes.workload import NAME
from slipway.release.public_address import address_of

URL = "slipway/url"
EXAMPLE = "example.com"  # of the overlays as they come
RESOURCES = {"Ingress": "ingress", "Gateway": "gateways.gateway.networking.k8s.io"}


@dataclass(frozen=True)
class Entrance:
    """The public address.

    Parameters
    ----------
    url : str
    kind, name : str
        Of the Ingress or Gateway in the overlay; empty if it has none, as with a Gateway of another namespace.
    """

    url: str
    kind: str = ""
    name: str = ""

    def place(self, found: Mapping[str, Any] | None) -> str:
        """DNS name or IP of the load balancer; empty as long as there is none."""
        status: Mapping[str, Any] = (found or {}).get("status") or {}
        if self.kind == RESOURCES["Ingress"]:
            ends = (status.get("loadBalancer") or {}).get("ingress") or [{}]
            return str(ends[0].get("hostname") or ends[0].get("ip") or "")
        ends = status.get("addresses") or [{}]
        return str(ends[0].get("value") or "")


def entrance_of(applied: Mapping[str, Any], overlay: Path) -> Entrance:
    """The entrance among the objects that an overlay makes.

    Raises
    ------
    ReleaseError
        If the Service does not name its URL, or still names the example's.
    """
    found = {(each["kind"], each["metadata"]["name"]): each for each in applied.get("items", [applied])}
    service = found.get(("Service", NAME), {"metadata": {}})
    url = (service["metadata"].get("annotations") or {}).get(URL, "")
    try:
        host = address_of(url).host
    except ValueError as error:
        cure = f"Annotate the Service {NAME} with {URL}: https://HOST"
        raise ReleaseError(f"{overlay}: {URL} is {url!r}, not the URL of the service", cure) from error
    if host == EXAMPLE or host.endswith(f".{EXAMPLE}"):
        raise ReleaseError(f"{overlay}: {URL} is still {url}", "Replace the example's host in the overlay by yours")
    kind, name = next(((kind, name) for kind, name in found if kind in RESOURCES), ("", ""))
    return Entrance(url, RESOURCES.get(kind, ""), name)
