"""What deploy/codepipeline/pipeline.yaml promises, read from it."""

import re
from pathlib import Path

import pytest
import yaml
from cfnlint.api import lint_file
from cfnlint.decode import decode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/codepipeline"
PATH = FOLDER / "pipeline.yaml"
INLINE_LIMIT = 51_200
NOTHING = {"Ref": "AWS::NoValue"}
ANYWHERE = {  # AWS authorizes these for all resources alone, the last one for a cluster
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "ssm:DescribeParameters",
    "ecs:ListTasks",
}
PUSH = {"ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"}


@pytest.fixture(scope="module")
def template() -> dict:
    document, errors = decode(str(PATH))
    assert not errors
    return document


@pytest.fixture(scope="module")
def resources(template) -> dict:
    return {name: each["Properties"] for name, each in template["Resources"].items()}


def statements(resources: dict) -> list[tuple[str, dict]]:
    """Role → statement, of both forms of policies and of either source."""
    found = []
    for name, each in resources.items():
        policies = [*each.get("Policies", []), *([each] if "PolicyName" in each else [])]
        for policy in policies:
            for statement in policy["PolicyDocument"]["Statement"]:
                chosen = statement["Fn::If"][1:] if "Fn::If" in statement else [statement]
                found += [(name, one) for one in chosen if one != NOTHING]
    return found


def actions(statement: dict) -> set[str]:
    given = statement["Action"]
    return {given} if isinstance(given, str) else set(given)


def stage(resources: dict, name: str, by_action: bool) -> dict[str, dict]:
    """The actions of a stage by name, in the order in which they run."""
    stages = [each["Fn::If"][1] if "Fn::If" in each else each for each in resources["Pipeline"]["Stages"]]
    [found] = [each for each in stages if each["Name"] == name]
    made = []
    for each in found["Actions"]:
        if "Fn::If" in each:
            condition, then, otherwise = each["Fn::If"]
            each = then if condition != "ByAction" or by_action else otherwise
        if each != NOTHING:
            made.append(each)
    named = {each["Name"] if isinstance(each["Name"], str) else each["Name"]["Fn::If"][2 - by_action]: each for each in made}
    return dict(sorted(named.items(), key=lambda pair: pair[1].get("RunOrder", 1)))


def test_cfn_lint_finds_nothing_and_it_can_be_sent_inline():
    assert [str(match) for match in lint_file(PATH)] == []
    assert PATH.stat().st_size <= INLINE_LIMIT


def test_no_right_is_for_everything_where_aws_knows_something_narrower(resources):
    for role, each in statements(resources):
        assert each["Effect"] == "Allow" and not any("*" in action for action in actions(each)), role
        if each["Resource"] == "*":
            assert actions(each) <= ANYWHERE, role
            assert "ecs:ListTasks" not in actions(each) or set(each["Condition"]["ArnEquals"]) == {"ecs:cluster"}


def test_roles_are_passed_to_tasks_alone_and_are_those_of_the_services(resources):
    passed = [each for _, each in statements(resources) if "iam:PassRole" in actions(each)]
    assert all(each["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}} for each in passed)
    names = [one["Fn::ImportValue"]["Fn::Sub"] for each in passed for one in each["Resource"]]
    exported = {
        each["Export"]["Name"]["Fn::Sub"]
        for kind in ("service", "trial")
        for each in decode(str(ROOT / f"deploy/fargate/{kind}.yaml"))[0]["Outputs"].values()
        if "Export" in each
    }
    assert exported == {"${AWS::StackName}-ExecutionRole", "${AWS::StackName}-TaskRole"}
    stacks = ("${Name}-fargate", "${Name}-fargate-staging")
    assert names == [name.replace("${AWS::StackName}", stack) for stack in stacks for name in sorted(exported)]


def held(resources: dict) -> dict[str, list[dict]]:
    """Role → its statements, with Deploy=ecs and Staging=yes."""
    found: dict[str, list[dict]] = {}
    for name, each in statements(resources):
        roles = resources[name].get("Roles", [{"Ref": name}])
        for role in [one["Fn::If"][1] if "Fn::If" in one else one for one in roles]:
            found.setdefault(role["Ref"], []).append(each)
    return found


def test_what_runs_the_tests_pushes_images_and_releases_nothing_and_the_others_push_nothing(resources):
    rights = {role: set().union(*map(actions, each)) for role, each in held(resources).items()}
    assert PUSH <= rights["BuildRole"]
    assert not rights["BuildRole"] & {"ecs:UpdateService", "ecs:RegisterTaskDefinition", "iam:PassRole"}
    assert not PUSH & (rights["DeployRole"] | rights["StagingRole"] | rights["PipelineRole"])
    assert {"ecs:UpdateService", "ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"} <= rights["PipelineRole"]


def test_only_with_its_own_action_are_ecs_s_rights_with_the_pipeline_and_the_build(template, resources):
    pipeline = {"Fn::If": ["ByAction", {"Ref": "PipelineRole"}, NOTHING]}
    assert resources["ReleaseRights"]["Roles"] == [{"Ref": "DeployRole"}, pipeline]
    assert resources["StagingRights"]["Roles"] == [{"Ref": "StagingRole"}, pipeline]
    assert template["Resources"]["ImageRights"]["Condition"] == "ByAction"
    assert not any(
        action.startswith("ecs:") for name, each in statements(resources) if name == "BuildRole" for action in actions(each)
    )


def test_what_runs_before_the_approval_cannot_change_production(resources):
    """Staging runs the commit's own files, which nobody has approved yet."""
    assert resources["StagingRelease"]["ServiceRole"] == {"Fn::GetAtt": ["StagingRole", "Arn"]}
    changing = {"ecs:UpdateService", "ecs:StopServiceDeployment", "ecs:TagResource", "iam:PassRole"}
    places = [each["Resource"] for each in held(resources)["StagingRole"] if actions(each) & changing]
    assert len(places) == len(changing)
    assert all("-staging" in str(one) for each in places for one in (each if isinstance(each, list) else [each]))
    production = [each for each in held(resources)["DeployRole"] if "iam:PassRole" in actions(each)]
    assert "staging" not in str(production)


@pytest.mark.parametrize("role", ["DeployRole", "StagingRole"])
def test_the_program_has_the_rights_that_the_road_gives_it(resources, role):
    """What deploy/fargate's deploy role may do, without the trial's question for an address."""
    road = decode(str(ROOT / "deploy/fargate/service.yaml"))[0]["Resources"]["DeployRole"]["Properties"]
    needed = set().union(*(actions(each) for each in road["Policies"][0]["PolicyDocument"]["Statement"]))
    assert needed <= set().union(*map(actions, held(resources)[role]))


def test_the_bucket_is_encrypted_closed_and_forgets(resources):
    bucket = resources["Artifacts"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 90
    [statement] = resources["ArtifactsPolicy"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_commits_are_released_one_after_the_other_and_cloned_whole(resources):
    pipeline = resources["Pipeline"]
    assert (pipeline["PipelineType"], pipeline["ExecutionMode"]) == ("V2", "QUEUED")
    [source] = pipeline["Stages"][0]["Actions"]
    condition, *sources = source["Fn::If"]
    assert condition == "OnGitHub"
    assert [each["ActionTypeId"]["Provider"] for each in sources] == ["CodeStarSourceConnection", "CodeCommit"]
    assert all(each["Configuration"]["OutputArtifactFormat"] == "CODEBUILD_CLONE_REF" for each in sources)
    assert sources[1]["Configuration"]["PollForSourceChanges"] == "false"


@pytest.mark.parametrize(("name", "suffix"), [("Staging", "-staging"), ("Production", "")])
def test_the_action_for_ecs_reads_the_file_of_its_service_and_is_checked(resources, name, suffix):
    found = stage(resources, name, by_action=True)
    assert [*found][-2:] == ["Deploy", "Verify"]
    deploy = found["Deploy"]
    assert deploy["ActionTypeId"]["Provider"] == "ECS" and deploy["InputArtifacts"] == [{"Name": "Built"}]
    assert deploy["Configuration"]["FileName"] == f"imagedefinitions{suffix}.json"
    assert deploy["Configuration"]["DeploymentTimeout"] == "15"


@pytest.mark.parametrize("by_action", [False, True])
@pytest.mark.parametrize(
    ("name", "project", "service"),
    [("Staging", "StagingRelease", {"Fn::Sub": "${Name}-staging"}), ("Production", "Release", {"Ref": "Name"})],
)
def test_the_last_action_of_a_stage_runs_slipway_in_a_clone_with_the_request(resources, name, project, service, by_action):
    last = [*stage(resources, name, by_action).values()][-1]
    assert last["InputArtifacts"] == [{"Name": "Source"}, {"Name": "Built"}]
    assert last["Configuration"] == {"ProjectName": {"Ref": project}, "PrimarySource": "Source"}
    assert {"Name": "SERVICE", "Value": service} in resources[project]["Environment"]["EnvironmentVariables"]


def test_who_releases_is_slipway_unless_one_chooses_the_action(template):
    assert template["Parameters"]["Deploy"]["Default"] == "slipway"
    assert set(template["Parameters"]["Deploy"]["AllowedValues"]) == {"slipway", "ecs"}


def test_somebody_is_asked_before_production_and_told_the_image(resources):
    first, *_ = stage(resources, "Production", by_action=True).values()
    assert first["ActionTypeId"]["Category"] == "Approval"
    assert "#{Build.DIGEST}" in first["Configuration"]["CustomData"]["Fn::Sub"]
    assert "Staging" in str(resources["Pipeline"]["Stages"][2]["Fn::If"][1]["Name"])


@pytest.mark.parametrize("project", ["Build", "Release", "StagingRelease"])
def test_the_projects_run_the_files_that_are_there_and_set_what_they_read(resources, project):
    path = ROOT / resources[project]["Source"]["BuildSpec"]
    commands = "\n".join(
        command for phase in yaml.safe_load(path.read_text())["phases"].values() for command in phase["commands"]
    )
    given = {each["Name"] for each in resources[project]["Environment"]["EnvironmentVariables"]}
    read = set(re.findall(r"\$\{?([A-Z][A-Za-z_]+)", commands))
    assert read - given <= {"AWS_REGION", "CODEBUILD_BUILD_SUCCEEDING", "CODEBUILD_SRC_DIR_Built"}
    assert given <= read
    assert resources[project]["Environment"].get("PrivilegedMode", False) is (project == "Build")


def test_failures_reach_the_mail_and_pushes_to_codecommit_start_the_pipeline(template, resources):
    assert template["Resources"]["Failed"]["Condition"] == "Somebody"
    assert resources["Failed"]["EventPattern"]["detail"]["state"] == ["FAILED"]
    pushed = resources["Pushed"]["EventPattern"]["detail"]
    assert pushed["event"] == ["referenceCreated", "referenceUpdated"] and pushed["referenceName"] == [{"Ref": "Branch"}]
