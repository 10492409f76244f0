"""Who may take the delivery role: a workflow on main of the one repository, named in the old or the new form."""

import pytest

OLD = "repo:Acme/Insurance.x:ref:refs/heads/main"
NEW = "repo:Acme@11/Insurance.x@22:ref:refs/heads/main"
AUDIENCE = "sts.amazonaws.com"
ISSUER = "token.actions.githubusercontent.com"
OTHERS = {
    "fork": "repo:mallory/Insurance.x:ref:refs/heads/main",
    "fork, new form": "repo:mallory@99/Insurance.x@98:ref:refs/heads/main",
    "pull request": "repo:Acme/Insurance.x:pull_request",
    "pull request, new form": "repo:Acme@11/Insurance.x@22:pull_request",
    "other branch": "repo:Acme/Insurance.x:ref:refs/heads/develop",
    "other branch, new form": "repo:Acme@11/Insurance.x@22:ref:refs/heads/develop",
    "branch whose name begins alike": "repo:Acme/Insurance.x:ref:refs/heads/main2",
    "branch below main": "repo:Acme/Insurance.x:ref:refs/heads/main/x",
    "tag": "repo:Acme/Insurance.x:ref:refs/tags/main",
    "environment": "repo:Acme/Insurance.x:environment:production",
    "environment, new form": "repo:Acme@11/Insurance.x@22:environment:production",
    "other repository": "repo:Acme/other:ref:refs/heads/main",
    "other repository, new form": "repo:Acme@11/other@23:ref:refs/heads/main",
    "name that a dot would match": "repo:Acme/Insurance-x:ref:refs/heads/main",
    "name that begins alike": "repo:Acme/Insurance.x2:ref:refs/heads/main",
    "owner that ends alike": "repo:notAcme/Insurance.x:ref:refs/heads/main",
    "other case": "repo:acme/insurance.x:ref:refs/heads/main",
    "same names, another repository's number": "repo:Acme@11/Insurance.x@23:ref:refs/heads/main",
    "same names, another owner's number": "repo:Acme@12/Insurance.x@22:ref:refs/heads/main",
    "nothing": "",
}


def allows(trust: dict, subject: str, audience: str = AUDIENCE, action: str = "sts:AssumeRoleWithWebIdentity") -> bool:
    """Whether a trust policy lets a token in; knows StringEquals alone and fails on every other operator."""
    claims = {f"{ISSUER}:sub": subject, f"{ISSUER}:aud": audience}
    for statement in trust["Statement"]:
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {})
        assert set(condition) == {"StringEquals"}, "an operator that this evaluator does not know"
        wanted = condition["StringEquals"]
        assert set(wanted) == set(claims), "not both of audience and subject, or more than these"
        if statement["Action"] == action and all(claims[name] in listed(values) for name, values in wanted.items()):
            return True
    return False


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def with_numbers(roles) -> dict:
    names = {"GitHubRepository": "Acme/Insurance.x", "GitHubOwnerId": "11", "GitHubRepositoryId": "22"}
    return roles(**names)["DeliveryRole"]


@pytest.fixture(scope="module")
def without_numbers(roles) -> dict:
    return roles(GitHubRepository="Acme/Insurance.x")["DeliveryRole"]


@pytest.mark.parametrize("subject", [OLD, NEW])
def test_main_is_let_in_by_either_form(with_numbers, subject):
    assert allows(with_numbers, subject)


def test_without_its_numbers_a_repository_is_let_in_by_the_old_form_alone(without_numbers):
    assert allows(without_numbers, OLD)
    assert not allows(without_numbers, NEW)


@pytest.mark.parametrize("subject", OTHERS.values(), ids=OTHERS)
def test_all_others_stay_out(with_numbers, without_numbers, subject):
    assert not allows(with_numbers, subject)
    assert not allows(without_numbers, subject)


@pytest.mark.parametrize("audience", ["https://github.com/Acme", "sts.amazonaws.com.evil.example", ""])
def test_a_token_for_somebody_else_stays_out(with_numbers, audience):
    assert not allows(with_numbers, NEW, audience)


def test_only_a_token_of_github_opens_it(with_numbers):
    principals = [statement["Principal"] for statement in with_numbers["Statement"]]
    assert principals == [{"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}]


def test_the_box_role_is_for_instances_alone(roles):
    assert roles(GitHubRepository="Acme/Insurance.x")["BoxRole"]["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    ]
