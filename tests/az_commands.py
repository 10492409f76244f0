"""What the real `az` knows: a stand-in refuses every other call. az_commands.json is from the --help of azure-cli."""

import json
from collections.abc import Sequence
from pathlib import Path

KNOWN = json.loads(Path(__file__).with_name("az_commands.json").read_text())


def require_known(arguments: Sequence[str]) -> tuple[str, dict[str, list[str]]]:
    """The command, and its options as they are written; AssertionError if `az` would refuse them."""
    words = next((place for place, each in enumerate(arguments) if each.startswith("-")), len(arguments))
    command, rest = " ".join(arguments[:words]), arguments[words:]
    assert command in KNOWN["commands"], f"az has no command {command!r} that is written down in az_commands.json"
    known = KNOWN["commands"][command]
    options: dict[str, list[str]] = {}
    for each in rest:
        if each.startswith("-") and each.lstrip("-")[:1].isalpha():
            name, _, value = each.partition("=")
            assert name in (*known["options"], *KNOWN["everywhere"]), f"az {command} has no option {name}"
            assert name not in options, f"az {command}: {name} is given twice"
            options[name] = [value] if value else []
        else:
            options[[*options][-1]].append(each)
    missing = [names for names in known.get("required", ()) if not {*names} & {*options}]
    assert not missing, f"az {command} needs {missing}"
    return command, options
