"""The manifests of deploy/kubernetes, as kubectl renders them: valid for the API, safe to run, and in agreement."""

import copy
import os
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from kube import MANIFESTS, ROOT, only, overlay, render
from slipway.release.image.key import PLATFORMS
from slipway.release.kubernetes.kubectl import MANAGER
from slipway.release.kubernetes.overlay import LOCK, write_overlay
from slipway.release.kubernetes.workload import CONTAINER, NAME, SETTINGS, Version
from slipway.settings import VARIABLES

VERSIONS = ("1.30", kubernetes_validate.latest_version())  # the first with a native preStop sleep, and the newest known
CLOUDS = ("eks", "gke", "aks")
OVERLAYS = (*CLOUDS, *(f"{cloud}-staging" for cloud in CLOUDS))
CUSTOM = {"Gateway", "HTTPRoute", "HealthCheckPolicy", "GCPBackendPolicy", "ServiceMonitor"}  # schemas of their controllers
PLURALS = {
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "HealthCheckPolicy": "healthcheckpolicies",
    "GCPBackendPolicy": "gcpbackendpolicies",
}
ACCESS = (MANIFESTS / "access.yaml").read_text()


def released(name: str, folder: Path) -> list[dict]:
    """What a release applies."""
    version = Version("0123456789ab", "c" * 40, "d" * 64, 7, "4711", f"registry.example.org:5000/insurance@sha256:{'e' * 64}")
    write_overlay(folder, MANIFESTS / name, "insurance", version, "99")
    return render(folder)


def pod_of(documents: list[dict]) -> dict:
    return only(documents, "Deployment")["spec"]["template"]["spec"]


def container_of(documents: list[dict]) -> dict:
    (container,) = pod_of(documents)["containers"]
    return container


@pytest.fixture(params=OVERLAYS)
def documents(request) -> list[dict]:
    return overlay(request.param)


def validate(document: dict) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


def test_every_overlay_is_tested():
    folders = {path.parent.name for path in MANIFESTS.glob("*/kustomization.yaml")}
    assert folders == {"base", "metrics", *OVERLAYS}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_schemas_of_kubernetes_know_every_field(cloud):
    for document in overlay(cloud):
        if document["kind"] not in CUSTOM:
            validate(document)


def test_a_misspelt_field_is_found():
    deployment = copy.deepcopy(only(overlay("base"), "Deployment"))
    deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailabel"] = 0
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(deployment)


def test_a_release_sets_namespace_image_and_annotations_and_nothing_else(tmp_path):
    plain, found = overlay("eks"), released("eks", tmp_path)
    assert {each["metadata"].pop("namespace") for each in found} == {"insurance"}
    deployment = only(found, "Deployment")
    validate(deployment)
    assert deployment["metadata"].pop("resourceVersion") == "99"
    assert deployment["metadata"]["labels"].pop(LOCK) == ""
    assert container_of(found)["image"] == f"registry.example.org:5000/insurance@sha256:{'e' * 64}"
    container_of(found)["image"] = "slipway"
    assert deployment["spec"]["template"]["metadata"].pop("annotations") == {
        "slipway/release": "0123456789ab",
        "slipway/commit": "c" * 40,
        "slipway/key": "d" * 64,
        "slipway/run": "7",
        "slipway/settings": "4711",
    }
    assert found == plain


def test_no_image_is_named_by_a_tag():
    assert not [path for path in MANIFESTS.rglob("*.yaml") if ":latest" in path.read_text()]
    assert container_of(overlay("base"))["image"] == "slipway"  # which is nobody's: only a release makes it one


def test_the_pod_meets_the_restricted_standard_of_pod_security(documents):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    pod, container = pod_of(documents), container_of(documents)
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert [volume.keys() - {"name"} for volume in pod["volumes"]] == [{"emptyDir"}]
    assert not [port for port in container["ports"] if "hostPort" in port]


def test_the_pod_gets_no_token_and_no_variables_of_services(documents):
    pod, account = pod_of(documents), only(documents, "ServiceAccount")
    assert pod["automountServiceAccountToken"] is account["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert pod["enableServiceLinks"] is False


def test_the_pod_stops_in_the_order_that_loses_no_request(documents):
    """The sleep is over, and gunicorn has answered its last request, before the kubelet kills it."""
    graceful = int(
        re.search(r"^graceful_timeout = (\d+)", (ROOT / "src/slipway/serving/gunicorn_conf.py").read_text(), re.M)[1]
    )
    sleep = container_of(documents)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep >= 15
    assert sleep + graceful < pod_of(documents)["terminationGracePeriodSeconds"]


def test_an_image_that_is_not_ready_replaces_no_pod(documents):
    spec, container = only(documents, "Deployment")["spec"], container_of(documents)
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert container["startupProbe"]["httpGet"]["path"] == container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    starts = container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"]
    assert starts + spec["minReadySeconds"] < spec["progressDeadlineSeconds"]


def test_two_pods_are_on_two_nodes_where_there_are_two_of_the_images_architecture(documents):
    spreads = pod_of(documents)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spreads] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {each["whenUnsatisfiable"] for each in spreads} == {"ScheduleAnyway"}
    assert pod_of(documents)["nodeSelector"] == {"kubernetes.io/arch": PLATFORMS[0].rpartition("/")[2]}


def test_resources_are_bounded_where_that_helps(documents):
    resources = container_of(documents)["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert "cpu" in resources["requests"] and "cpu" not in resources["limits"]


def test_the_autoscaler_owns_the_replicas_of_the_deployment(documents):
    deployment, scaler = only(documents, "Deployment"), only(documents, "HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in deployment["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert scaler["scaleTargetRef"] == target
    assert scaler["minReplicas"] <= scaler["maxReplicas"]


def test_production_runs_two_to_six_pods():
    for name in CLOUDS:
        spec = only(overlay(name), "HorizontalPodAutoscaler")["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)


def test_all_selectors_select_the_pods(documents):
    deployment = only(documents, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    policies = {each["kind"]: each.get("spec", {}) for each in documents}
    assert deployment["selector"]["matchLabels"] == labels
    assert policies["Service"]["selector"] == labels
    assert policies["PodDisruptionBudget"]["selector"]["matchLabels"] == labels
    assert policies["NetworkPolicy"]["podSelector"]["matchLabels"] == labels
    spreads = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert all(each["labelSelector"]["matchLabels"] == labels for each in spreads)
    (port,) = policies["Service"]["ports"]
    assert port["targetPort"] in [each["name"] for each in container_of(documents)["ports"]]


def test_the_network_lets_in_the_load_balancer_and_nothing_out(documents):
    spec = only(documents, "NetworkPolicy")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"] and not spec.get("egress")
    (rule,) = spec["ingress"]
    assert rule["from"] and rule["ports"] == [{"port": container_of(documents)["ports"][0]["containerPort"]}]


def test_url_and_route_name_the_same_host(documents):
    url = only(documents, "Service")["metadata"]["annotations"]["slipway/url"]
    hosts = [rule["host"] for each in documents if each["kind"] == "Ingress" for rule in each["spec"]["rules"]]
    hosts += [host for each in documents if each["kind"] == "HTTPRoute" for host in each["spec"]["hostnames"]]
    assert hosts and {f"https://{host}" for host in hosts} == {url}


def test_routes_lead_to_the_service(documents):
    service = only(documents, "Service")
    ((port, number),) = [(each["name"], each["port"]) for each in service["spec"]["ports"]]
    for each in documents:
        if each["kind"] == "Ingress":
            (path,) = each["spec"]["rules"][0]["http"]["paths"]
            assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port}}
        if each["kind"] in ("HealthCheckPolicy", "GCPBackendPolicy"):
            assert each["spec"]["targetRef"]["name"] == service["metadata"]["name"]
        for rule in each["spec"]["rules"] if each["kind"] == "HTTPRoute" else ():
            assert rule.get("backendRefs", [{"name": NAME, "port": number}]) == [{"name": NAME, "port": number}]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_staging_differs_in_host_and_number_of_pods_alone(cloud):
    for staged, live in zip(overlay(f"{cloud}-staging"), overlay(cloud), strict=True):
        if staged["kind"] in ("Deployment", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "HealthCheckPolicy"):
            assert staged == live
    url = only(overlay(f"{cloud}-staging"), "Service")["metadata"]["annotations"]["slipway/url"]
    assert url != only(overlay(cloud), "Service")["metadata"]["annotations"]["slipway/url"]


def test_the_service_is_told_its_release_as_the_annotations_name_it(documents):
    environment = {each["name"]: each for each in container_of(documents)["env"]}
    for name, annotation in {"SLIPWAY_RELEASE": "slipway/release", "SLIPWAY_COMMIT": "slipway/commit"}.items():
        assert environment[name]["valueFrom"] == {"fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
    known = {each.name for each in VARIABLES} | {"WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"}
    assert environment.keys() <= known
    assert container_of(documents)["envFrom"] == [{"secretRef": {"name": SETTINGS, "optional": True}}]
    assert container_of(documents)["name"] == CONTAINER


def test_the_service_keeps_connections_longer_than_the_load_balancer(documents):
    kept = {"eks": 60, "gke": 600, "aks": 3_600}
    cloud = next(name for name in CLOUDS if documents in (overlay(name), overlay(f"{name}-staging")))
    arguments = {each["name"]: each.get("value", "") for each in container_of(documents)["env"]}.get("GUNICORN_CMD_ARGS", "")
    own = int(re.fullmatch(r"--keep-alive=(\d+)|", arguments)[1] or 75)
    assert own > kept[cloud]


def test_the_role_of_a_release_covers_what_the_overlays_make_and_no_more():
    _, role, binding = yaml.safe_load_all(ACCESS)
    allowed = {(group, kind): rule for rule in role["rules"] for group in rule["apiGroups"] for kind in rule["resources"]}
    for name in (*OVERLAYS, "base"):
        for document in overlay(name):
            group = document["apiVersion"].rpartition("/")[0]
            plural = PLURALS.get(document["kind"], document["kind"].lower() + "s")
            assert {"get", "create", "patch"} == set(allowed[group, plural]["verbs"]), plural
    assert not [rule for rule in role["rules"] if "*" in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])]
    assert not [rule for rule in role["rules"] if {"delete", "deletecollection", "escalate", "bind"} & set(rule["verbs"])]
    assert allowed["", "secrets"]["resourceNames"] == [SETTINGS] and allowed["", "secrets"]["verbs"] == ["get"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"] == MANAGER


def test_the_namespace_enforces_the_restricted_standard_once_it_has_a_name():
    found = list(yaml.safe_load_all(ACCESS.replace("NAME", "insurance")))
    for document in found:
        validate(document)
    assert found[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"].get("namespace", "insurance") for each in found} == {found[0]["metadata"]["name"]}


def test_metrics_are_an_option_that_lets_prometheus_in(tmp_path):
    manifests = os.path.relpath(MANIFESTS, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{manifests}/eks]\ncomponents: [{manifests}/metrics]\n")
    found = render(tmp_path)
    monitor = only(found, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= only(found, "Service")["metadata"]["labels"].items()
    assert monitor["endpoints"] == [{"port": only(found, "Service")["spec"]["ports"][0]["name"], "path": "/metrics"}]
    assert [rule["ports"] for rule in only(found, "NetworkPolicy")["spec"]["ingress"]] == [[{"port": 8080}]] * 2
