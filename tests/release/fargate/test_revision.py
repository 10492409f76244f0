"""The next revision of a task definition, from the current one: nothing else changes."""

import json

import pytest

from clouds import ARN, BASE, NAME, REPOSITORY
from slipway.errors import ReleaseError
from slipway.release.fargate.parameters import Settings
from slipway.release.fargate.revision import Release, next_revision, release_of, repository_of

DIGEST = "sha256:" + "d" * 64
RELEASE = Release("0123456789ab", DIGEST, "c" * 40, "e" * 64, 7, "mark")
NONE = Settings(f"/slipway/{NAME}/", (), "mark")


def settings(*names: str) -> Settings:
    return Settings(NONE.prefix, names, "mark")


def current(**app) -> dict:
    definition = json.loads(json.dumps(BASE)) | {"taskDefinitionArn": f"{ARN}:1", "compatibilities": ["FARGATE"]}
    definition["containerDefinitions"][0] |= app
    return definition


def made(definition: dict, own: Settings = NONE, proxies: int = 1) -> dict:
    return next_revision(definition, RELEASE, REPOSITORY, own, proxies)


def test_the_images_that_are_the_placeholder_or_of_the_repository_become_the_digest():
    containers = made(current())["containerDefinitions"]
    assert [each["image"] for each in containers] == [f"{REPOSITORY}@{DIGEST}"] * 2 + ["public.ecr.aws/other/sidecar:1"]
    again = made(current(image=f"{REPOSITORY}:old"))["containerDefinitions"]
    assert again[0]["image"] == f"{REPOSITORY}@{DIGEST}" and again[1]["image"] == "placeholder"


def test_what_the_stack_set_stays_and_what_only_ecs_may_say_is_left_out():
    asked = made(current())
    assert {"taskDefinitionArn", "revision", "status", "registeredBy", "compatibilities"} & set(asked) == set()
    assert (asked["family"], asked["cpu"], asked["memory"]) == (NAME, "512", "1024")
    app = asked["containerDefinitions"][0]
    assert {"name": "SLIPWAY_LOG", "value": "/var/log/slipway"} in app["environment"]
    assert app["logConfiguration"] == BASE["containerDefinitions"][0]["logConfiguration"]


def test_the_current_revision_is_not_changed():
    definition = current()
    before = json.dumps(definition)
    made(definition, settings("SLIPWAY_API_KEYS"))
    assert json.dumps(definition) == before


def test_a_revision_made_from_the_next_one_differs_in_the_release_alone():
    first = made(current(), settings("SLIPWAY_API_KEYS"))
    assert made({**first, "taskDefinitionArn": f"{ARN}:2"}, settings("SLIPWAY_API_KEYS")) == first


def test_the_environment_names_the_release_and_its_proxies():
    app = made(current(environment=[{"name": "SLIPWAY_RELEASE", "value": "old"}]), proxies=0)["containerDefinitions"][0]
    assert app["environment"] == [
        {"name": "SLIPWAY_RELEASE", "value": RELEASE.id},
        {"name": "SLIPWAY_COMMIT", "value": RELEASE.commit},
        {"name": "SLIPWAY_TRUSTED_PROXIES", "value": "0"},
    ]


def test_parameters_become_secrets_and_those_that_are_gone_leave():
    other = {"name": "TOKEN", "valueFrom": "arn:aws:secretsmanager:eu-west-1:1:secret:token"}
    gone = {"name": "OLD", "valueFrom": f"arn:aws:ssm:eu-west-1:1:parameter/slipway/{NAME}/OLD"}
    app = made(current(secrets=[other, gone]), settings("SLIPWAY_API_KEYS"))["containerDefinitions"][0]
    assert app["secrets"] == [other, {"name": "SLIPWAY_API_KEYS", "valueFrom": f"/slipway/{NAME}/SLIPWAY_API_KEYS"}]


def test_a_name_that_is_set_twice_is_refused_before_ecs_does():
    with pytest.raises(ReleaseError, match="SLIPWAY_LOG is set twice: by the parameter /slipway/insurance/SLIPWAY_LOG and"):
        made(current(), settings("SLIPWAY_LOG"))


def test_without_its_container_the_stack_must_be_made_again():
    definition = current(name="web")
    for ask in (release_of, made):
        with pytest.raises(ReleaseError, match="has no container 'app'. Run deploy/fargate/up"):
            ask(definition)


def test_the_labels_tell_the_release():
    assert release_of(made(current(dockerLabels={"team": "pricing"}))) == RELEASE
    assert made(current(dockerLabels={"team": "pricing"}))["containerDefinitions"][0]["dockerLabels"]["team"] == "pricing"


@pytest.mark.parametrize("labels", [{}, {"slipway.run": "7"}, {"slipway.release": "a", "slipway.run": "many"}])
def test_a_revision_that_no_release_made_has_none(labels):
    assert release_of(current(dockerLabels=labels)) is None


@pytest.mark.parametrize(
    "image, repository",
    [
        ("busybox", "busybox"),
        ("busybox:1", "busybox"),
        ("localhost:5000/insurance", "localhost:5000/insurance"),
        ("localhost:5000/insurance:key", "localhost:5000/insurance"),
        (f"{REPOSITORY}:key@{DIGEST}", REPOSITORY),
        (f"{REPOSITORY}@{DIGEST}", REPOSITORY),
    ],
)
def test_the_repository_of_an_image(image, repository):
    assert repository_of(image) == repository
