"""What is written in deploy/jenkins: its structure, what pull requests can reach, and that the page knows all of it."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dekobon_tree_sitter_groovy
import pytest
import tree_sitter
import yaml

from jenkinsfile import Fault, Node, check, read

ROOT = Path(__file__).resolve().parents[2]
JENKINS = ROOT / "deploy/jenkins"
SOURCE = (JENKINS / "Jenkinsfile").read_text()
PAGE = (ROOT / "docs/jenkins.md").read_text()
CASC = yaml.safe_load((JENKINS / "casc.yaml").read_text())
IMAGE = f"python:{(ROOT / '.python-version').read_text().strip()}"
PROGRAMS = ("deploy", "login", "train")
NAMES = ["Settings", "Test", "Train", "Delivery", "Approval", "Deployment", "Box", "Cloud"]
OF_STEPS = {  # step, option or section → the plugin that brings it
    "agent": "workflow-aggregator",
    "docker": "docker-workflow",
    "withFolderProperties": "folder-properties",
    "timestamps": "timestamper",
    "lock": "lockable-resources",
    "milestone": "pipeline-milestone-step",
    "junit": "junit",
    "withCredentials": "credentials-binding",
    "emailext": "email-ext",
    "AmazonWebServicesCredentialsBinding": "aws-credentials",
}
OF_PAGES = {"pipeline-graph-view"}  # shows the stages: workflow-aggregator brings no view
OF_CASC = {"jobs": "job-dsl", "github": "github-branch-source", "credentials": "configuration-as-code", "branchSources": "git"}


@pytest.fixture(scope="module")
def pipeline() -> Node:
    return check(read(SOURCE))


def stages(node: Node) -> list[Node]:
    return [each for each in node.walk() if each.name == "stage"]


def labels(node: Node) -> list[str]:
    return [each.string() for each in node.walk() if each.name == "label"]


def test_its_sections_are_those_of_a_declarative_pipeline(pipeline):
    assert [stage.string() for stage in stages(pipeline)] == NAMES


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("stage('Test')", "stagge('Test')", "stagge has no place in stages"),
        ("  post {   //", "  pots {   //", "pots has no place in pipeline"),
        ("always {", "allways {", "allways has no place in post"),
        ("beforeAgent true", "beforeAgnet true", "beforeAgnet has no place in when"),
        ("agent { label 'slipway-test'", "agent { lable 'slipway-test'", "lable has no place in agent"),
        ("lock(resource", "look(resource", "look has no place in options"),
        ("      steps {", "      sh 'true'\n      steps {", "sh has no place in stage"),
        ("milestone(1)", "millstone(1)", "millstone has no place in steps"),
        ("withAccess(aws: env", "withAcces(aws: env", "withAcces has no place in steps"),
        ("  agent none\n", "", "the pipeline has no agent"),
        ("      steps {\n        input", "      stepz {\n        input", "stepz has no place in stage"),
        ("def tell() {", "}\ndef tell() {", "nothing is open that } would close"),
        ("label 'slipway-test'", "label 'slipway-test", "a quote is never closed"),
        ("unstash('request')", "unstash('request'", "is never closed|would close"),
    ],
)
def test_the_check_finds_a_fault(old, new, says):
    assert old in SOURCE
    with pytest.raises(Fault, match=says):
        check(read(SOURCE.replace(old, new, 1)))


def test_a_parser_of_groovy_finds_no_fault():
    parser = tree_sitter.Parser(tree_sitter.Language(dekobon_tree_sitter_groovy.language()))
    texts = [SOURCE, *(job["script"] for job in CASC["jobs"])]
    assert [parser.parse(text.encode()).root_node.has_error for text in texts] == [False] * len(texts)
    assert parser.parse(SOURCE.replace("name: 'request', includes", "name: 'request' includes").encode()).root_node.has_error


def test_no_shell_step_lets_groovy_put_values_into_it(pipeline):
    steps = [node for node in pipeline.walk() if node.name == "sh"]
    assert len(steps) == 5
    for step in steps:
        assert step.text.startswith("sh '''#!/usr/bin/env bash\n"), "Jenkins would trace it, and print what it expands"
        assert re.search(r"\n +set -euo pipefail\n", step.text)


def test_shellcheck_finds_nothing(pipeline, tmp_path):
    scripts = [JENKINS / name for name in PROGRAMS]  # SC2024: the request is read by the agent's user, not by root
    for number, step in enumerate(node for node in pipeline.walk() if node.name == "sh"):
        scripts.append(tmp_path / f"step{number}.sh")
        scripts[-1].write_text(step.string())
    program = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:/usr/bin")
    done = subprocess.run([program, "--exclude=SC2024", *scripts], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert all((JENKINS / name).stat().st_mode & 0o111 for name in PROGRAMS)


def test_a_pull_request_gets_no_secret_and_no_docker(pipeline):
    settings, test, *others = stages(pipeline)
    assert not settings.get("agent")
    assert labels(test) == ["slipway-test"]
    [container] = [node for node in test.walk() if node.name == "docker"]
    assert container.text == f"docker.image('{IMAGE}').inside", "no socket, no user"
    assert [node for node in test.walk() if node.name == "sh"] == container.inner, "no shell outside of the container"
    steps = [node.text for node in test.get("steps").inner]
    assert steps == ["deleteDir()", "checkout(scm)", "script"], "no git where an earlier build ran"
    assert "skipDefaultCheckout()" in [node.text for node in test.get("options").inner]
    assert not [node for node in test.walk() if node.name.lower().startswith("with") or "credentials" in node.text]
    nested = {stage.string() for outer in others for stage in stages(outer)[1:]}
    for stage in (settings, *others):
        assert "slipway-test" not in labels(stage)
        assert stage.string() in nested or stage.get("when").get("branch").string() == "main", stage.string()


def test_an_approval_holds_nothing_and_no_older_build_follows_a_newer_one(pipeline):
    by_name = {stage.string(): stage for stage in stages(pipeline)}
    assert not by_name["Approval"].get("agent")
    assert [node.text for node in pipeline.get("agent").walk()] == ["agent none"]
    assert [name for name, stage in by_name.items() if "lock(" in str(stage.get("options"))] == ["Deployment"]
    for name in ("Box", "Cloud"):
        assert by_name[name].get("steps").inner[0].text == "milestone(1)", "before anything is changed"
    assert not pipeline.get("options").get("timeout"), "it would count the time that an approval waits"
    assert "disableConcurrentBuilds" not in SOURCE, "a revert would wait for the approval of what it takes back"


def test_an_aborted_deployment_may_go_back_after_the_end_of_its_stage(pipeline):
    [cloud] = [stage for stage in stages(pipeline) if stage.string() == "Cloud"]
    assert [node.text for node in cloud.get("environment").inner] == ["JENKINS_NODE_COOKIE = 'none'"]


def test_no_build_starts_in_the_middle(pipeline):
    assert "disableRestartFromStage()" in [node.text for node in pipeline.get("options").inner], "without settings it is a box"


def test_the_plugins_are_those_that_are_used():
    listed = [line for line in (JENKINS / "plugins.txt").read_text().splitlines() if not line.startswith("#")]
    assert listed == sorted({*OF_STEPS.values(), *OF_CASC.values(), *OF_PAGES})
    for word in OF_STEPS:
        assert re.search(rf"\b{word}\b", SOURCE), word
    for word in OF_CASC:
        assert word in (JENKINS / "casc.yaml").read_text(), word
    assert [name for name in listed if f"`{name}`" not in PAGE] == []


def test_the_controller_builds_nothing_and_holds_no_secret_of_ours():
    assert set(CASC) == {"jenkins", "credentials", "unclassified", "jobs"}
    assert CASC["jenkins"]["numExecutors"] == 0
    assert {node["permanent"]["labelString"] for node in CASC["jenkins"]["nodes"]} == set(labels(check(read(SOURCE))))
    folders = [node["permanent"]["remoteFS"] for node in CASC["jenkins"]["nodes"]]
    assert len(set(folders)) == len(folders), "agents on one machine do not know of each other's workspaces"
    text = (JENKINS / "casc.yaml").read_text()
    for value in re.findall(r"(?i)^ *\w*(?:password|token|secret)\w*: *(.+)$", text, re.MULTILINE):
        assert re.fullmatch(r'"\$\{[A-Z_]+(:-)?\}"', value), value


def test_only_the_token_for_github_is_in_reach_of_pull_requests():
    [domain] = CASC["credentials"]["system"]["domainCredentials"]
    assert [each["usernamePassword"]["id"] for each in domain["credentials"]] == ["github"]
    account = CASC["unclassified"]["email-ext"]["mailAccount"]
    assert {"smtpUsername", "smtpPassword"}.isdisjoint(account), "email-ext makes credentials of them that any job can use"


def test_a_lost_event_delays_a_build_and_does_not_lose_it():
    for job in CASC["jobs"]:
        assert "triggers { periodicFolderTrigger { interval('1h') } }" in job["script"]


def test_pull_requests_are_outside_of_the_folder_with_the_credentials():
    requests, releases = (job["script"] for job in CASC["jobs"])
    assert "multibranchPipelineJob('${GITHUB_NAME}-pull-requests')" in requests
    assert "PullRequestDiscovery" in requests and "gitHubBranchDiscovery" not in requests
    assert "gitHubTrustNobody()" in requests, "a fork would bring its own Jenkinsfile"
    assert "folder" not in requests
    assert "multibranchPipelineJob('${GITHUB_NAME}/releases')" in releases
    assert "PullRequestDiscovery" not in releases and "gitHubForkDiscovery" not in releases
    assert re.search(r"includes\('main'\)", releases)
    for script in (requests, releases):
        assert (ROOT / re.search(r"scriptPath\('([^']+)'\)", script)[1]).is_file()


def test_every_setting_is_in_the_configuration_and_on_the_page():
    read_by = SOURCE + "".join((JENKINS / name).read_text() for name in PROGRAMS)
    used = set(re.findall(r"\b((?:SLIPWAY|AZURE|GCP)_[A-Z_]+|AWS_REGION)\b", read_by)) - {"SLIPWAY_REQUEST"}
    written = set(re.findall(r"^ +([A-Z_]+): '\$\{\1", CASC["jobs"][1]["script"], re.MULTILINE))
    assert written == used, "SLIPWAY_PLATFORM is read by deliver"
    noted = re.search(r"def names = \[(.*?)\n  \]", SOURCE, re.DOTALL)[1]
    assert set(re.findall(r"'([A-Z_]+)'", noted)) == written
    variables = set(re.findall(r"\$\{([A-Z_]+)", (JENKINS / "casc.yaml").read_text()))
    assert {name for name in written | variables if f"`{name}`" not in PAGE} == set()


def test_the_agent_of_a_box_is_the_user_that_may_ask_for_releases():
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(JENKINS / "slipway-agent@.service")
    service = unit["Service"]
    sudoers = (ROOT / "src/slipway/release/ec2/bootstrap").read_text()
    assert service["User"] == "runner-%i" and "runner-%s ALL=(root) NOPASSWD" in sudoers
    assert "NoNewPrivileges" not in service, "sudo needs them"
    assert unit["Unit"]["Requires"] == "slipway-metadata.service"
    assert "/sudo --non-interactive /usr/local/sbin/slipway-release" not in SOURCE
    assert "sudo --non-interactive /usr/local/sbin/slipway-release < request.json | cat" in SOURCE
    assert SOURCE.count("sudo ") == 1
