"""A stand-in for the `aws` program: it notes how it was called and answers with the first rule whose text is in the call."""

import json
import os
import subprocess
import sys
from pathlib import Path

import slipway

STAND_IN = """#!{python}
import json, sys
from pathlib import Path
folder, call = Path(__file__).parent, " ".join(sys.argv[1:])
with open(folder / "calls", "a") as file:
    print(call, file=file)
path = folder / "rules"
rules = json.loads(path.read_text())
for text, answers in rules:
    if text in call:
        code, said = answers.pop(0) if len(answers) > 1 else answers[0]
        path.write_text(json.dumps(rules))
        print(said, file=sys.stderr if code else sys.stdout)
        sys.exit(code)
"""


class CannedAws:
    """What AWS answers, and what it was asked. The programs find this Python, and nobody sleeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = {
            "aws": STAND_IN.format(python=sys.executable),
            "sleep": "#!/bin/sh\n",
            "python3": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
        }
        for name, text in programs.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def call(self, command: list, rules: dict, environ: dict[str, str]) -> subprocess.CompletedProcess:
        """Run a program with these rules, text to an answer or several in turn: exit code and what is said."""
        listed = [(text, answers if isinstance(answers, list) else [answers]) for text, answers in rules.items()]
        (self.folder / "rules").write_text(json.dumps(listed))
        (self.folder / "calls").write_text("")
        own = {name: value for name, value in os.environ.items() if name not in ("STACK", "BOX_OF", "STAGE")}
        source = str(Path(slipway.__file__).parents[1])
        given = {"PATH": f"{self.folder}:/usr/bin:/bin", "AWS_REGION": "eu-west-1", "PYTHONPATH": source} | environ
        return subprocess.run(command, env=own | given, capture_output=True, text=True, timeout=120)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def position(self, *words: str) -> int | None:
        """Where in the order of calls the first with all of these words is."""
        return next((place for place, call in enumerate(self.calls) if all(word in call for word in words)), None)
