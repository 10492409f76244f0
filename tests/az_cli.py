"""Which commands and options `az` has, as far as deploy/azure-devops and deploy/azure-ml use them.

The first part is of azure-cli 2.91 (`az … --help`); those of `az ml` are of its extension's reference.
"""

EVERYWHERE = {"--output", "--query", "--only-show-errors", "--resource-group"}
ML = EVERYWHERE | {"--workspace-name", "--name"}
COMMANDS = {
    "acr login": {"--name", "--expose-token"},
    "aks get-credentials": {"--name", "--overwrite-existing"},
    "account get-access-token": {"--resource"},
    "extension add": {"--name", "--yes"},
    "ml workspace show": {"--name"},
    "ml online-endpoint show": ML,
    "ml online-endpoint get-credentials": ML,
    "ml online-endpoint update": ML | {"--traffic"},
    "ml online-deployment list": ML - {"--name"} | {"--endpoint-name"},
    "ml online-deployment create": ML | {"--endpoint-name", "--file", "--no-wait"},
    "ml online-deployment delete": ML | {"--endpoint-name", "--yes", "--no-wait"},
    "ml online-deployment get-logs": ML | {"--endpoint-name", "--lines"},
}


def checked(words: list[str]) -> tuple[str, dict[str, str]]:
    """The command of a call and its options; AssertionError if `az` does not have one of them."""
    place = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    command, rest = " ".join(words[:place]), words[place:]
    assert command in COMMANDS, f"az {command}"
    options: dict[str, str] = {}
    for word in rest:
        if word.startswith("--"):
            assert word in COMMANDS[command] | EVERYWHERE, f"az {command} {word}"
            assert word not in options, f"az {command} {word} {word}"
            options[last := word] = ""
        else:
            assert not options[last], f"az {command}: {word} after {last} {options[last]}"
            options[last] = word
    return command, options
