"""A project of Google Cloud with one service of Cloud Run: what happens to a revision is decided by the digest of its image.

The service is a stand-in of what `gcloud` shows; nothing runs.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from clouds import BUNDLE
from gcloud_commands import parse
from slipway.release.clock import Cancelled
from slipway.release.cloudrun import traffic_shift
from slipway.release.cloudrun.gcloud import failure
from slipway.release.cloudrun.run_service import CloudRun
from slipway.release.cloudrun.traffic_shift import TrafficShift
from slipway.release.public_address import PublicAddress

SERVICE = "insurance"
HOST, PATH = "europe-west1-docker.pkg.dev", "acme-ml/models/insurance"
URL = "https://insurance-abc123-ew.a.run.app"
NEXT = "https://next---insurance-abc123-ew.a.run.app"
PLACEHOLDER = f"{SERVICE}-00001-abc"


class RunCloud:
    """`gcloud` and a clock.

    `crashing` digests never start, `hanging` ones never answer /readyz, `wrong` ones serve another bundle, `late` ones fail
    once they have the traffic; `denied` commands are refused.
    """

    def __init__(self) -> None:
        container = {
            "image": "us-docker.pkg.dev/cloudrun/container/hello",
            "ports": [{"containerPort": 8080}],
            "env": [{"name": "WEB_CONCURRENCY", "value": "2"}],
        }
        self.template = {
            "metadata": {"labels": {}},
            "spec": {"serviceAccountName": "insurance-run@x", "containers": [container]},
        }
        self.labels: dict[str, str] = {}
        self.revisions = {PLACEHOLDER: copy.deepcopy(self.template)}
        self.traffic = {PLACEHOLDER: 100}
        self.tag = self.wanted_tag = ""  # as it is, and as asked for
        self.crashing: set[str] = set()
        self.hanging: set[str] = set()
        self.wrong: set[str] = set()
        self.late: set[str] = set()
        self.denied: dict[str, str] = {}
        self.secrets: dict[str, int] = {}
        self.private = False
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.passed = 0.0
        self.ended: float | None = None

    # the clock

    def now(self) -> float:
        return self.passed

    def pause(self, seconds: float) -> None:
        if self.ended is not None and self.passed + seconds >= self.ended:
            raise Cancelled
        self.passed += seconds

    # the program

    def __call__(self, *arguments: str):
        text = self.text(*arguments, "--format=json")
        return json.loads(text) if text else None

    def text(self, *arguments: str) -> str:
        command, given, options = parse((*arguments, "--project=acme-ml", "--quiet"))
        self.calls.append(command)
        self.before.pop(command, lambda: None)()
        if command in self.denied:
            raise failure(f"gcloud {command}", self.denied[command])
        answer = getattr(self, "_" + re.sub("[ -]", "_", command))(given, options)
        return answer if isinstance(answer, str) else json.dumps(answer)

    def _auth_print_access_token(self, given: list[str], options: Mapping[str, str]) -> str:
        return "access"

    def _auth_print_identity_token(self, given: list[str], options: Mapping[str, str]) -> str:
        return f"identity of {options.get('--impersonate-service-account', 'the job')} for {options['--audiences']}"

    def _run_services_describe(self, given: list[str], options: Mapping[str, str]):
        if given != [SERVICE]:
            raise failure(
                "gcloud run services describe", f"ERROR: (gcloud.run.services.describe) Cannot find service [{given[0]}]"
            )
        traffic = [{"revisionName": name, "percent": share} for name, share in self.traffic.items()]
        if self.tag:
            traffic.append({"revisionName": self.tag, "tag": "next", "url": NEXT})
        return {
            "metadata": {"name": SERVICE, "labels": self.labels},
            "spec": {"template": self.template, "traffic": [{"revisionName": self.wanted_tag, "tag": "next"}]},
            "status": {"url": URL, "traffic": traffic},
        }

    def _run_revisions_describe(self, given: list[str], options: Mapping[str, str]):
        return self.revisions[given[0]]

    def _run_services_update(self, given: list[str], options: Mapping[str, str]):
        template, [container] = self.template, self.template["spec"]["containers"]
        container["image"] = options["--image"]
        names = dict(each.split("=") for each in options["--update-env-vars"].split(","))
        kept = [each for each in container["env"] if each["name"] not in names]
        container["env"] = kept + [{"name": name, "value": value} for name, value in names.items()]
        self.labels |= dict(each.split("=") for each in options["--update-labels"].split(","))
        template["metadata"]["labels"] = self.labels.copy()
        assert all(len(value) <= 63 for value in self.labels.values())
        revision = self.wanted_tag = f"{SERVICE}-{options['--revision-suffix']}"
        if self.digest(template) in self.crashing:
            said = f"ERROR: (gcloud.run.services.update) Revision '{revision}' is not ready. It failed to start and listen."
            raise failure("gcloud run services update", f"Deploying...\n{said}\n")
        self.revisions[revision] = copy.deepcopy(template)
        assert "--no-traffic" in options
        self.tag = revision
        return {}

    def _run_services_update_traffic(self, given: list[str], options: Mapping[str, str]):
        if "--remove-tags" in options:
            self.tag = self.wanted_tag = ""
            return {}
        if self.wanted_tag and self.wanted_tag not in self.revisions:
            said = f"Revision '{self.wanted_tag}' is not ready and cannot serve traffic."
            raise failure("gcloud run services update-traffic", f"ERROR: (gcloud.run.services.update-traffic) {said}")
        self.traffic = {name: int(share) for name, share in (each.split("=") for each in options["--to-revisions"].split(","))}
        assert set(self.traffic) <= set(self.revisions)
        return {}

    def _secrets_versions_describe(self, given: list[str], options: Mapping[str, str]):
        return {"name": f"projects/1/secrets/{options['--secret']}/versions/{self.secrets[options['--secret']]}"}

    # what users see

    def digest(self, revision: Mapping) -> str:
        """The one character of which the digest of a revision's image is made."""
        return revision["spec"]["containers"][0]["image"].rpartition(":")[2][:1]

    def serving(self) -> str:
        [revision] = self.traffic
        return self.digest(self.revisions[revision])

    def use_secret(self, name: str) -> None:
        """A variable takes the newest version of a secret, as an administrator sets it."""
        self.secrets[name] = 1
        reference = {"name": "SLIPWAY_API_KEYS", "valueFrom": {"secretKeyRef": {"name": name, "key": "latest"}}}
        self.template["spec"]["containers"][0]["env"].append(reference)

    def answer(self, address: PublicAddress) -> tuple[int, object]:
        if self.private and not address.headers:
            return 403, None
        at_tag = address.host.startswith("next---")
        revision = self.revisions[self.tag if at_tag else next(iter(self.traffic))]
        digest = self.digest(revision)
        labels = revision["metadata"]["labels"]
        if digest in self.hanging or (digest in self.late and not at_tag):
            return 503, {"status": "not ready", "release": labels["slipway-release"]}
        bundle = "e" * 64 if digest in self.wrong else BUNDLE
        return 200, {"status": "ready", "bundle": bundle, "release": labels.get("slipway-release")}


@contextmanager
def answering(cloud: RunCloud) -> Iterator[list[PublicAddress]]:
    """Addresses answer what the revisions would, and the registry lists each digest under the key that it is asked for."""
    asked: list[PublicAddress] = []

    def ask(address: PublicAddress, seconds: float = 0):
        asked.append(address)
        return cloud.answer(address)

    def find(host: str, path: str, key: str, environ: Mapping[str, str]) -> str:
        return f"sha256:{key}"

    kept = PublicAddress.ask, traffic_shift.find_image, traffic_shift.Clock
    PublicAddress.ask, traffic_shift.find_image, traffic_shift.Clock = ask, find, lambda: cloud
    try:
        yield asked
    finally:
        PublicAddress.ask, traffic_shift.find_image, traffic_shift.Clock = kept


def cloud_run(cloud: RunCloud, bundle: str = BUNDLE, name: str = SERVICE) -> TrafficShift:
    """The program on this cloud."""
    return TrafficShift(CloudRun(cloud, name, "europe-west1"), cloud, HOST, PATH, bundle)
