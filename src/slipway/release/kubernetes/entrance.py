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
CERTMAP, EXAMPLES_MAP = "networking.gke.io/certmap", "CERTIFICATE-MAP"
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
        If the Service does not name its URL, or any object still has a name of the example, or another host.
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
    _require_host(found, host, overlay)
    kind, name = next(((kind, name) for kind, name in found if kind in RESOURCES), ("", ""))
    return Entrance(url, RESOURCES.get(kind, ""), name)


def _require_host(found: Mapping[tuple[str, str], Any], host: str, overlay: Path) -> None:
    """ReleaseError if a route leads another host to the service, or the certificate is the example's."""
    for (kind, name), each in found.items():
        for other in _hosts(each):
            if other != host:
                raise ReleaseError(
                    f"{overlay}: {kind} {name} has the host {other!r}, but {URL} has {host}", "Make them the same"
                )
    for each in found.values():
        certmap = (each["metadata"].get("annotations") or {}).get(CERTMAP, "")
        if certmap.startswith(EXAMPLES_MAP):
            cure = f"Set {CERTMAP} to your certificate map of Certificate Manager"
            raise ReleaseError(f"{overlay}: {CERTMAP} is still {certmap}", cure)


def _hosts(document: Mapping[str, Any]) -> list[str]:
    """The hosts of a route; an empty one is any host."""
    spec = document.get("spec") or {}
    if document["kind"] == "Ingress":
        return [rule.get("host", "") for rule in spec.get("rules", [])]
    return list(spec.get("hostnames") or [""]) if document["kind"] == "HTTPRoute" else []
