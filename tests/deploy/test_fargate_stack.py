"""The service that the stand-in of ECS runs is the one of deploy/fargate/service.yaml, with its numbers."""

from rehearsal.fargate_stack import quick, read_stack

NAME, REPOSITORY = "insurance", "127.0.0.1:5000/images"


def containers(**parameters: str) -> dict[str, dict]:
    return {each["name"]: each for each in read_stack(NAME, REPOSITORY, **parameters).definition["containerDefinitions"]}


def test_periods_and_counts_are_those_of_the_template():
    stack = read_stack(NAME, REPOSITORY)
    assert (stack.checks.path, stack.checks.interval, stack.checks.healthy, stack.checks.delay) == ("/readyz", 10, 2, 30)
    assert (stack.grace, stack.tasks, stack.threshold, stack.least, stack.most) == (60, 2, 3, 100, 200)


def test_the_definition_has_the_names_of_the_api_and_the_registry_of_the_rehearsal():
    stack = read_stack(NAME, REPOSITORY)
    assert (stack.definition["family"], stack.definition["cpu"], stack.definition["memory"]) == (NAME, "512", "1024")
    assert {each["image"] for each in containers().values()} == {f"{REPOSITORY}:unreleased"}
    app = containers()["app"]
    assert app["readonlyRootFilesystem"] is True
    assert (app["user"], app["linuxParameters"], app["stopTimeout"]) == ("10001", {"capabilities": {"drop": ["ALL"]}}, 60)
    assert app["logConfiguration"]["options"]["awslogs-stream-prefix"]


def test_what_a_condition_leaves_out_is_not_there_and_comes_with_its_parameter():
    assert "log" not in containers()
    assert "environment" not in containers()["app"]
    with_log = containers(LogBucket="bucket", Log="yes")
    assert "s3://bucket/artifacts" in with_log["log"]["command"]
    assert {"name": "SLIPWAY_LOG", "value": "/var/log/slipway"} in with_log["app"]["environment"]


def test_the_quick_one_differs_in_periods_alone_and_leaves_the_other_as_it_is():
    stack = read_stack(NAME, REPOSITORY)
    made = quick(stack, grace=12)
    assert (made.grace, made.checks.interval, made.checks.delay, made.checks.healthy) == (12, 1, 4, 2)
    checks = [
        next(each["healthCheck"] for each in one.definition["containerDefinitions"] if each["name"] == "app")
        for one in (stack, made)
    ]
    assert checks[0] | {"interval": 2, "startPeriod": 12} == checks[1] != checks[0]
