"""What the `gcloud` program takes, as far as Slipway or its pages call it: a call with another option fails a test.

From the reference pages docs.cloud.google.com/sdk/gcloud/reference/COMMAND, with slashes for the blanks of a command.
"""

from collections.abc import Sequence

EVERYWHERE = {"--project", "--quiet", "--format", "--impersonate-service-account"}
FLAGS = {  # take no value
    *("--quiet", "--no-traffic", "--immutable-tags", "--require-approval", "--uniform-bucket-level-access", "--recursive"),
}
BINDING = {"--member", "--role", "--condition"}
COMMANDS = {  # command → number of positional arguments, options
    "artifacts repositories add-iam-policy-binding": (1, {"--location", *BINDING}),
    "artifacts repositories create": (1, {"--location", "--repository-format", "--immutable-tags", "--description"}),
    "alpha builds approve": (1, {"--location", "--comment", "--url"}),  # gcloud builds has none, that of beta knows no region
    "artifacts repositories delete": (1, {"--location"}),
    "artifacts repositories describe": (1, {"--location"}),
    "artifacts repositories remove-iam-policy-binding": (1, {"--location", *BINDING}),
    "auth list": (0, {"--filter"}),
    "auth print-access-token": (0, set()),
    "auth print-identity-token": (0, {"--audiences"}),
    "builds connections create github": (1, {"--region"}),
    "builds connections delete": (1, {"--region"}),
    "builds connections describe": (1, {"--region"}),
    "builds list": (0, {"--region", "--filter"}),
    "builds repositories create": (1, {"--remote-uri", "--connection", "--region"}),
    "builds repositories delete": (1, {"--connection", "--region"}),
    "builds triggers create github": (
        0,
        {
            *("--name", "--region", "--repository", "--branch-pattern", "--build-config", "--require-approval"),
            *("--service-account", "--substitutions"),
        },
    ),
    "builds triggers delete": (1, {"--region"}),
    "config get": (1, set()),
    "container clusters get-credentials": (1, {"--location"}),
    "iam service-accounts add-iam-policy-binding": (1, BINDING),
    "iam service-accounts create": (1, {"--display-name"}),
    "iam service-accounts delete": (1, set()),
    "iam service-accounts describe": (1, set()),
    "iam workload-identity-pools create": (1, {"--location", "--display-name"}),
    "iam workload-identity-pools describe": (1, {"--location"}),
    "iam workload-identity-pools providers create-oidc": (
        1,
        {"--location", "--workload-identity-pool", "--issuer-uri", "--attribute-mapping", "--attribute-condition"},
    ),
    "iam workload-identity-pools providers delete": (1, {"--location", "--workload-identity-pool"}),
    "iam workload-identity-pools providers describe": (1, {"--location", "--workload-identity-pool"}),
    "iam workload-identity-pools providers undelete": (1, {"--location", "--workload-identity-pool"}),
    "iam workload-identity-pools providers update-oidc": (
        1,
        {"--location", "--workload-identity-pool", "--attribute-mapping", "--attribute-condition"},
    ),
    "iam workload-identity-pools delete": (1, {"--location"}),
    "iam workload-identity-pools undelete": (1, {"--location"}),
    "projects add-iam-policy-binding": (1, BINDING),
    "projects describe": (1, set()),
    "projects remove-iam-policy-binding": (1, BINDING),
    "run revisions describe": (1, {"--region"}),
    "run revisions list": (0, {"--service", "--region"}),
    "run services add-iam-policy-binding": (1, {"--region", *BINDING}),
    "run services delete": (1, {"--region"}),
    "run services describe": (1, {"--region"}),
    "run services remove-iam-policy-binding": (1, {"--region", *BINDING}),
    "run services replace": (1, {"--region"}),
    "run services update": (
        1,
        {
            *("--region", "--image", "--no-traffic", "--tag", "--revision-suffix", "--update-env-vars", "--update-labels"),
            *("--update-secrets", "--remove-env-vars"),
        },
    ),
    "run services update-traffic": (1, {"--region", "--to-revisions", "--remove-tags"}),
    "secrets add-iam-policy-binding": (1, BINDING),
    "secrets create": (1, {"--data-file"}),
    "secrets list": (0, {"--filter"}),
    "secrets versions describe": (1, {"--secret"}),
    "services enable": (8, set()),
    "storage buckets add-iam-policy-binding": (1, BINDING),
    "storage buckets create": (1, {"--location", "--uniform-bucket-level-access"}),
    "storage cp": (2, set()),
    "storage rm": (1, {"--recursive"}),
}


def parse(arguments: Sequence[str]) -> tuple[str, list[str], dict[str, str]]:
    """Command, positional arguments and options of a call; ValueError if gcloud would refuse it."""
    words, options, rest = [], {}, list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in FLAGS and not equals:
            if not rest:
                raise ValueError(f"{name} has no value")
            value = rest.pop(0)
        options[name] = value
    command = next(
        (each for each in sorted(COMMANDS, key=len, reverse=True) if f"{' '.join(words)} ".startswith(f"{each} ")), ""
    )
    if not command:
        raise ValueError(f"no such command: {' '.join(words)}")
    count, known = COMMANDS[command]
    given = words[len(command.split()) :]
    if len(given) > count or (len(given) < count and command != "services enable"):
        raise ValueError(f"{command} takes {count} arguments, not {len(given)}: {given}")
    if wrong := set(options) - known - EVERYWHERE:
        raise ValueError(f"{command} has no option {', '.join(sorted(wrong))}")
    return command, given, options
