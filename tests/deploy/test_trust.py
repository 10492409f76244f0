"""Who may take the roles: jobs on main of the one repository, named in the old or the new form, in their environment alone."""

import pytest

MAIN = "refs/heads/main"
SUBJECTS = {  # of the jobs that the role is for, in the old and the new form
    "DeliveryRole": ("repo:Acme/Insurance.x:environment:release", "repo:Acme@11/Insurance.x@22:environment:release"),
    "ReadRole": ("repo:Acme/Insurance.x:ref:refs/heads/main", "repo:Acme@11/Insurance.x@22:ref:refs/heads/main"),
}
AUDIENCE = "sts.amazonaws.com"
ISSUER = "token.actions.githubusercontent.com"
OTHERS = {
    "fork": "repo:mallory/Insurance.x:",
    "fork, new form": "repo:mallory@99/Insurance.x@98:",
    "other repository": "repo:Acme/other:",
    "other repository, new form": "repo:Acme@11/other@23:",
    "name that a dot would match": "repo:Acme/Insurance-x:",
    "name that begins alike": "repo:Acme/Insurance.x2:",
    "owner that ends alike": "repo:notAcme/Insurance.x:",
    "other case": "repo:acme/insurance.x:",
    "same names, another repository's number": "repo:Acme@11/Insurance.x@23:",
    "same names, another owner's number": "repo:Acme@12/Insurance.x@22:",
}
CONTEXTS = (
    "ref:refs/heads/main",
    "environment:release",
    "pull_request",
    "ref:refs/heads/develop",
    "ref:refs/heads/main2",
    "ref:refs/heads/main/x",
    "ref:refs/tags/main",
    "environment:production",
    "environment:release2",
)
OWN = ("repo:Acme/Insurance.x:", "repo:Acme@11/Insurance.x@22:")


def allows(trust: dict, subject: str, audience: str = AUDIENCE, ref: str = MAIN) -> bool:
    """Whether a trust policy lets a token in; knows StringEquals alone and fails on every other operator."""
    claims = {f"{ISSUER}:sub": subject, f"{ISSUER}:aud": audience, f"{ISSUER}:ref": ref}
    for statement in trust["Statement"]:
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {})
        assert set(condition) == {"StringEquals"}, "an operator that this evaluator does not know"
        wanted = condition["StringEquals"]
        assert {f"{ISSUER}:sub", f"{ISSUER}:aud"} <= set(wanted) <= set(claims), "not audience and subject, or more than these"
        if statement["Action"] == "sts:AssumeRoleWithWebIdentity" and all(
            claims[name] in listed(values) for name, values in wanted.items()
        ):
            return True
    return False


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def with_numbers(roles) -> dict:
    return roles(GitHubRepository="Acme/Insurance.x", GitHubOwnerId="11", GitHubRepositoryId="22")


@pytest.fixture(scope="module")
def without_numbers(roles) -> dict:
    return roles(GitHubRepository="Acme/Insurance.x")


@pytest.mark.parametrize("role", SUBJECTS)
def test_jobs_on_main_are_let_in_by_either_form(with_numbers, role):
    assert all(allows(with_numbers[role], subject) for subject in SUBJECTS[role])


@pytest.mark.parametrize("role", SUBJECTS)
def test_without_its_numbers_a_repository_is_let_in_by_the_old_form_alone(without_numbers, role):
    old, new = SUBJECTS[role]
    assert allows(without_numbers[role], old)
    assert not allows(without_numbers[role], new)


def test_an_environment_that_is_open_to_every_branch_lets_in_main_alone(with_numbers):
    for ref in ("refs/heads/develop", "refs/pull/1/merge", "refs/tags/main", ""):
        assert not any(allows(with_numbers["DeliveryRole"], subject, ref=ref) for subject in SUBJECTS["DeliveryRole"])


@pytest.mark.parametrize("role", SUBJECTS)
def test_all_others_stay_out(with_numbers, without_numbers, role):
    """Other repositories whatever their job, and other jobs of the same repository: of branches, tags and environments."""
    subjects = {owner + context for owner in (*OWN, *OTHERS.values()) for context in CONTEXTS} | {""}
    for subject in subjects - set(SUBJECTS[role]):
        assert not allows(with_numbers[role], subject), subject
        assert not allows(without_numbers[role], subject), subject


@pytest.mark.parametrize("role", SUBJECTS)
@pytest.mark.parametrize("audience", ["https://github.com/Acme", "sts.amazonaws.com.evil.example", ""])
def test_a_token_for_somebody_else_stays_out(with_numbers, audience, role):
    assert not any(allows(with_numbers[role], subject, audience) for subject in SUBJECTS[role])


@pytest.mark.parametrize("role", SUBJECTS)
def test_only_a_token_of_github_opens_it(with_numbers, role):
    principals = [statement["Principal"] for statement in with_numbers[role]["Statement"]]
    assert principals == [{"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}]


def test_the_box_role_is_for_instances_alone(roles):
    assert roles(GitHubRepository="Acme/Insurance.x")["BoxRole"]["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    ]
