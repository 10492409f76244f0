"""deploy/compose: nothing is open to the network, no password is the same everywhere, and its files agree with one another."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
PAGE = (ROOT / "docs" / "compose.md").read_text()
CLOSED = ("app", "mlflow", "prometheus", "grafana")  # the others begin as root, to own their data


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_on_this_machine_alone(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_built_here_or_has_a_version(name):
    service = SERVICES[name]
    assert "build" in service or re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?", service["image"])


@pytest.mark.parametrize("name", CLOSED)
def test_what_needs_no_root_has_no_way_to_become_it(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


def test_without_a_profile_the_service_alone_comes_up():
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["app"]
    assert SERVICES["app"]["read_only"]
    assert SERVICES["app"]["environment"] == {"SLIPWAY_LOG_TO": "none"}  # one that it cannot write drops rows


def test_what_another_service_waits_for_comes_with_its_profile_and_tells_when_it_is_ready():
    for service in SERVICES.values():
        for other in service.get("depends_on", {}):
            assert set(service["profiles"]) <= set(SERVICES[other]["profiles"])
            assert "healthcheck" in SERVICES[other]


def required() -> set[str]:
    """Variables without which Compose refuses to start."""
    return set(re.findall(r"\$\{(\w+):\?set it in deploy/compose/.env\}", TEXT))


def test_no_password_has_a_default():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or "SECRET" in name:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
    assert set(re.findall(r"\$\{(\w+)", TEXT)) - required() == set(re.findall(r"\$\{(\w+_PORT):-\d+\}", TEXT))


def test_the_command_of_the_page_gives_every_password_a_value_of_its_own(tmp_path):
    (tmp_path / "env.example").write_bytes((FOLDER / "env.example").read_bytes())
    program = re.search(r"python3 -c '(.+?)' > \.env", PAGE).group(1)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if not line.startswith("#"))
    assert required() | {"COMPOSE_PROJECT_NAME"} == set(values)
    passwords = [values[name] for name in required()]
    assert len(set(passwords)) == len(passwords)
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in passwords)  # safe within a URL


def test_every_file_that_is_mounted_is_there_and_read_only():
    mounts = [each for service in SERVICES.values() for each in service.get("volumes", []) if each.startswith("./")]
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert (FOLDER / source).is_file() and mode == "ro"
    assert len(mounts) == 5


def test_the_rules_and_the_dashboard_are_those_of_the_observability_files():
    for name in ("alerts.yaml", "dashboard.json"):
        assert (FOLDER / name).read_bytes() == (ROOT / "deploy" / "observability" / name).read_bytes()
    (job,) = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    (of_box,) = yaml.safe_load((ROOT / "deploy" / "observability" / "prometheus.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == of_box["job_name"]
    assert job["static_configs"][0]["targets"] == ["app:8080"]


def test_the_folder_has_no_file_that_a_copy_would_hide():
    """`slipway new` and the sdist copy what does not begin with a dot."""
    tracked = subprocess.run(["git", "ls-files", FOLDER], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert tracked and not [name for name in tracked if Path(name).name.startswith(".")]


def test_the_page_names_every_profile_variable_and_port():
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert all(f"--profile {profile}" in PAGE for profile in profiles)
    assert all(f"`{name}`" in PAGE for name in required() | set(re.findall(r"\$\{(\w+_PORT)", TEXT)))
