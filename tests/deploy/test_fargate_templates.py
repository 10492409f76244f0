"""What the templates of Fargate promise, read from the templates."""

import re
from pathlib import Path

import pytest
from cfnlint.api import lint_file
from cfnlint.decode import decode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/fargate"
TEMPLATES = sorted(FOLDER.glob("*.yaml"))
INLINE_LIMIT = 51_200
ECS = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}"
REPOSITORY = "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/${ImageRepository}"
ANYWHERE = {"ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition", "ssm:DescribeParameters", "ecs:ListTasks"}
DEPLOY = {
    "*": ANYWHERE,
    f"{ECS}:service/${{Name}}/${{Name}}": {"ecs:DescribeServices", "ecs:UpdateService", "ecs:ListServiceDeployments"},
    f"{ECS}:service-deployment/${{Name}}/${{Name}}/*": {"ecs:StopServiceDeployment"},
    f"{ECS}:task/${{Name}}/*": {"ecs:DescribeTasks"},
    REPOSITORY: {"ecr:DescribeImages"},
    "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Logs}:log-stream:*": {"logs:GetLogEvents"},
    "ExecutionRole TaskRole": {"iam:PassRole"},
}
ALARMS = {
    "Failing": "HTTPCode_Target_5XX_Count",
    "Unanswered": "HTTPCode_ELB_5XX_Count",
    "Unhealthy": "UnHealthyHostCount",
    "TooFew": "HealthyHostCount",
}
EXECUTION = {
    "*": {"ecr:GetAuthorizationToken"},
    REPOSITORY: {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
    "Logs": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/slipway/${Name}/*": {"ssm:GetParameters"},
}


def load(name: str) -> dict:
    document, errors = decode(str(FOLDER / f"{name}.yaml"))
    assert not errors
    return document


@pytest.fixture(params=["service", "trial"])
def either(request) -> dict:
    return {name: each["Properties"] for name, each in load(request.param)["Resources"].items() if "Properties" in each}


@pytest.fixture
def service() -> dict:
    return {name: each["Properties"] for name, each in load("service")["Resources"].items() if "Properties" in each}


def containers(resources: dict, logged: bool) -> dict[str, dict]:
    """The containers of the task definition by name, with the prediction log or without."""
    given = resolved(resources["Base"]["ContainerDefinitions"], logged)
    return {each["Name"]: each for each in given}


def resolved(value: object, logged: bool) -> object:
    if isinstance(value, dict) and list(value) == ["Fn::If"] and value["Fn::If"][0] == "Logged":
        return resolved(value["Fn::If"][1 if logged else 2], logged)
    if isinstance(value, dict):
        kept = {name: resolved(each, logged) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each != NOTHING}
    if isinstance(value, list):
        return [each for each in (resolved(item, logged) for item in value) if each != NOTHING]
    return value


NOTHING = {"Ref": "AWS::NoValue"}


def rights(role: dict) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = statement["Action"]
            found.setdefault(place(statement["Resource"]), set()).update([actions] if isinstance(actions, str) else actions)
    return found


def place(resource: object) -> str:
    if isinstance(resource, list):
        return " ".join(map(place, resource))
    if isinstance(resource, str):
        return resource
    return resource["Fn::Sub"] if "Fn::Sub" in resource else resource["Fn::GetAtt"][0]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_cfn_lint_finds_nothing_and_it_can_be_sent_inline(path):
    assert [str(match) for match in lint_file(path)] == []
    assert path.stat().st_size <= INLINE_LIMIT


def test_roles_have_exactly_the_rights_they_need(service):
    assert rights(service["DeployRole"]) == DEPLOY
    assert rights(service["ExecutionRole"]) == EXECUTION
    condition, policies, nothing = service["TaskRole"]["Policies"]["Fn::If"]
    assert (condition, nothing) == ("Granted", NOTHING)
    assert rights({"Policies": policies}) == {"arn:${AWS::Partition}:s3:::${LogBucket}/artifacts/log/raw/*": {"s3:PutObject"}}


def test_on_trial_the_address_of_the_task_may_be_asked_too_and_the_task_may_do_nothing():
    trial = {name: each.get("Properties") for name, each in load("trial")["Resources"].items()}
    assert rights(trial["DeployRole"]) == DEPLOY | {"*": ANYWHERE | {"ec2:DescribeNetworkInterfaces"}}
    assert rights(trial["ExecutionRole"]) == EXECUTION
    assert "Policies" not in trial["TaskRole"]


def test_the_deploy_role_passes_roles_to_tasks_alone_and_lists_those_of_its_cluster(either):
    by_action = {
        str(each["Action"]): each.get("Condition")
        for each in either["DeployRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    }
    assert by_action["iam:PassRole"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert by_action["ecs:ListTasks"] == {"ArnEquals": {"ecs:cluster": {"Fn::GetAtt": ["Cluster", "Arn"]}}}


def test_jobs_on_main_in_the_environment_of_the_road_take_the_deploy_role_by_either_form(either):
    [statement] = either["DeployRole"]["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {
        "Federated": {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{issuer}"}
    }
    assert set(statement["Condition"]) == {"StringEquals"}
    wanted = statement["Condition"]["StringEquals"]
    old, new = wanted.pop(f"{issuer}:sub")
    assert wanted == {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:ref": "refs/heads/main"}
    assert old == {"Fn::Sub": "repo:${GitHubRepository}:environment:${GitHubEnvironment}"}
    condition, (form, _), nothing = new["Fn::If"][0], new["Fn::If"][1]["Fn::Sub"], new["Fn::If"][2]
    assert form == "repo:${Owner}@${GitHubOwnerId}/${Repository}@${GitHubRepositoryId}:environment:${GitHubEnvironment}"
    assert (condition, nothing) == ("NumbersKnown", NOTHING)


def test_an_update_runs_what_is_live_and_sets_no_number_of_tasks(either):
    assert either["Service"]["TaskDefinition"] == {"Fn::If": ["Released", {"Ref": "Live"}, {"Ref": "Base"}]}
    assert either["Service"]["DesiredCount"] == {"Fn::If": ["Creating", 0, NOTHING]}


def test_a_failing_release_is_rolled_back_after_three_tasks_and_nobody_is_left_without_one(either):
    assert either["Service"]["DeploymentConfiguration"] == {
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
        "DeploymentCircuitBreaker": {
            "Enable": True,
            "Rollback": True,
            "ThresholdConfiguration": {"Type": "COUNT", "Value": 3},
        },
    }


@pytest.mark.parametrize("logged", [False, True])
def test_containers_write_to_their_volumes_alone_and_have_no_rights_of_root(either, logged):
    for name, each in containers(either, logged).items():
        assert each["ReadonlyRootFilesystem"] is True and each["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}
        assert each["User"] == ("0" if name == "prepare" else "10001")
        assert each["Image"]["Fn::Sub"].endswith("/${ImageRepository}:unreleased"), "a release replaces it in each of them"
        options = each["LogConfiguration"]["Options"]
        assert (options["mode"], options["max-buffer-size"]) == ("non-blocking", "4m")
    assert either["Logs"]["RetentionInDays"] in (7, 30)


def test_the_app_is_stopped_before_what_ships_its_log(service):
    """ECS stops containers in the reverse order of their dependencies."""
    made = containers(service, logged=True)
    assert list(made) == ["prepare", "log", "app"]
    ready, started = made["app"]["DependsOn"]
    assert (ready["ContainerName"], ready["Condition"]) == ("prepare", "SUCCESS")
    assert (started["ContainerName"], started["Condition"]) == ("log", "START")
    assert (made["log"]["Essential"], made["prepare"]["Essential"], made["app"]["Essential"]) == (False, False, True)
    assert made["prepare"]["Command"] == ["chmod", "1777", "/tmp", "/var/log/slipway"]
    assert made["app"]["Environment"] == [{"Name": "SLIPWAY_LOG", "Value": "/var/log/slipway"}]


def test_without_a_bucket_there_is_no_log(service):
    made = containers(service, logged=False)
    assert list(made) == ["prepare", "app"] and "Environment" not in made["app"]
    assert [each["SourceVolume"] for each in made["app"]["MountPoints"]] == ["tmp"]
    assert resolved(service["Base"]["Volumes"], False) == [{"Name": "tmp"}]


def test_tasks_are_reached_by_the_load_balancer_alone(service):
    [way_in] = service["TaskGroup"]["SecurityGroupIngress"]
    assert way_in["SourceSecurityGroupId"] == {"Fn::GetAtt": ["LoadBalancerGroup", "GroupId"]}
    assert (way_in["FromPort"], way_in["ToPort"]) == (8080, 8080)
    [way_out] = service["TaskGroup"]["SecurityGroupEgress"]
    assert (way_out["FromPort"], way_out["ToPort"]) == (443, 443)


def test_everything_goes_over_tls_and_metrics_are_not_public(service):
    assert service["Secure"]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    [redirect] = service["Insecure"]["DefaultActions"]
    assert redirect["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    [condition] = service["NoMetrics"]["Conditions"]
    assert condition["PathPatternConfig"] == {"Values": ["/metrics"]}
    assert service["NoMetrics"]["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "404"


def test_the_load_balancer_lets_go_before_gunicorn_does(service):
    from slipway.serving import gunicorn_conf

    given = {each["Key"]: each["Value"] for each in service["LoadBalancer"]["LoadBalancerAttributes"]}
    assert int(given["idle_timeout.timeout_seconds"]) < gunicorn_conf.keepalive
    targets = {each["Key"]: each["Value"] for each in service["TargetGroup"]["TargetGroupAttributes"]}
    assert int(targets["deregistration_delay.timeout_seconds"]) > gunicorn_conf.graceful_timeout
    assert containers(service, False)["app"]["StopTimeout"] > gunicorn_conf.graceful_timeout
    assert service["TargetGroup"]["HealthCheckPath"] == "/readyz"


def test_scaling_is_by_requests_and_by_cpu_between_the_bounds(service):
    scaling = service["Scaling"]
    assert scaling["MaxCapacity"] == {"Ref": "MaxTasks"}
    parameters = load("service")["Parameters"]
    assert (parameters["MinTasks"]["Default"], parameters["MaxTasks"]["Default"]) == (2, 6)
    policies = [service[each]["TargetTrackingScalingPolicyConfiguration"] for each in ("ScalingByRequests", "ScalingByCpu")]
    requests, cpu = (each["PredefinedMetricSpecification"] for each in policies)
    assert requests["PredefinedMetricType"] == "ALBRequestCountPerTarget"
    assert requests["ResourceLabel"] == {"Fn::Sub": "${LoadBalancer.LoadBalancerFullName}/${TargetGroup.TargetGroupFullName}"}
    assert (cpu["PredefinedMetricType"], policies[1]["TargetValue"]) == ("ECSServiceAverageCPUUtilization", 60)
    assert all((each["ScaleOutCooldown"], each["ScaleInCooldown"]) == (30, 300) for each in policies)


def test_before_the_first_release_the_autoscaling_starts_no_task_and_after_it_removes_none_that_it_started(service):
    """Whoever registers a range has AWS move the number of tasks into it at once."""
    assert service["Scaling"]["MinCapacity"] == {"Fn::If": ["Released", {"Ref": "MinTasks"}, 0]}
    assert service["Scaling"]["SuspendedState"] == {
        "DynamicScalingInSuspended": {"Fn::If": ["Released", False, True]},
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


def test_alarms_on_errors_and_on_tasks_that_are_not_ready_tell_the_topic(service):
    assert {name: service[name]["MetricName"] for name in ALARMS} == ALARMS
    for name in ALARMS:
        assert service[name]["AlarmActions"] == [{"Ref": "Alarms"}] == service[name]["OKActions"]


def test_a_missing_count_is_no_error_but_a_missing_task_once_there_was_a_release(service):
    """AWS counts neither answers of a kind that were not given nor tasks of an empty target group."""
    missing = {name: service[name]["TreatMissingData"] for name in ALARMS}
    assert missing.pop("TooFew") == {"Fn::If": ["Released", "breaching", "notBreaching"]}
    assert set(missing.values()) == {"notBreaching"}


def test_the_release_finds_what_it_asks_for_in_the_tags_of_the_service(service):
    tags = {each["Key"]: each["Value"] for each in service["Service"]["Tags"]}
    assert tags == {
        "slipway:url": {"Fn::Sub": "https://${Host}"},
        "slipway:address": {"Fn::GetAtt": ["LoadBalancer", "DNSName"]},
        "slipway:tasks": {"Fn::Sub": "${MinTasks}"},
    }


def test_the_costs_on_the_page_add_up():
    page = (ROOT / "docs/fargate.md").read_text()
    table = page[page.index("## What it costs") :]
    *costs, total = (float(each) for each in re.findall(r"\| \**([0-9]+\.[0-9]{2})\** \|$", table, re.M))
    assert len(costs) == 5 and sum(costs) == pytest.approx(total)
    assert f"about {round(total)} USD a month" in (FOLDER / "up").read_text()
