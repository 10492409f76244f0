"""A stand-in for the `az` program: it refuses what the real one does not know, notes each call and answers by rules."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STAND_IN = """#!{python} -S
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from az_commands import require_known
folder, call = Path(__file__).parent, " ".join(sys.argv[1:])
with open(folder / "calls", "a") as file:
    print(call, file=file)
try:
    require_known(sys.argv[1:])
except AssertionError as error:
    sys.exit(f"no such call: {{error}}")
for text, (code, said) in json.loads((folder / "rules").read_text()):
    if text in call:
        print(said, file=sys.stderr if code else sys.stdout)
        sys.exit(code)
"""


class CannedAz:
    """What Azure answers, and what it was asked; `gh` says how tokens name the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = {
            "az": STAND_IN.format(python=sys.executable, tests=str(Path(__file__).parent)),
            "gh": '#!/bin/sh\necho "gh $*" >> "${0%/*}/calls"\necho repo:acme@1/insurance@2\n',
        }
        for name, text in programs.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def call(
        self, command: Sequence[object], rules: dict[str, tuple[int, str]], typed: str = "", **environ: str
    ) -> subprocess.CompletedProcess:
        """Run a program with these rules, text to exit code and what is said; the first that is in a call answers."""
        (self.folder / "rules").write_text(json.dumps([*rules.items()]))
        (self.folder / "calls").write_text("")
        given = {"PATH": f"{self.folder}{os.pathsep}/usr/bin:/bin"} | environ
        return subprocess.run([*map(str, command)], env=given, input=typed, capture_output=True, text=True, timeout=120)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def made(self, words: str) -> list[str]:
        """The calls that begin with these words."""
        return [call for call in self.calls if call.startswith(words)]
