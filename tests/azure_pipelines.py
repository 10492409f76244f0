"""A stand-in for Azure Pipelines: it decides which stages and steps of a file run, and runs their scripts under bash.

It knows what the file uses: conditions, macros, outputs, logging commands. Approvals, locks and tasks are Azure's.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

TASKS = {"UsePythonVersion@0", "PublishTestResults@2", "AzureCLI@2"}
COMMAND = re.compile(r"##vso\[task\.(?P<what>\w+) ?(?P<properties>[^\]]*)\](?P<value>.*)")
MACRO = re.compile(r"\$\((?P<name>[\w.]+)\)")
PASSED = ("Succeeded", "SucceededWithIssues")


@dataclass
class Run:
    """One run of a pipeline.

    Parameters
    ----------
    file, folder : Path
        The pipeline, and the checkout it runs in.
    variables : dict
        Predefined ones, such as Build.Reason.
    group, secrets : dict
        The variable group, of which secrets reach a script only where ``env`` names them.
    programs : Path
        Comes first on PATH.
    expired : collection of str
        Stages of whose environment a check times out: they are skipped.
    """

    file: Path
    folder: Path
    variables: dict[str, str]
    group: dict[str, str]
    programs: Path
    parameters: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    expired: tuple[str, ...] = ()
    results: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    summaries: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    connections: list[tuple[str, str]] = field(default_factory=list)
    artifacts: dict[str, Path] = field(default_factory=dict)
    log: str = ""

    def play(self) -> "Run":
        text = self.file.read_text()
        given = {each["name"]: str(each["default"]).title() for each in yaml.safe_load(text)["parameters"]} | self.parameters
        text = re.sub(r"\$\{\{ parameters\.(\w+) \}\}", lambda found: given[found[1]], text)
        for stage in yaml.safe_load(text)["stages"]:
            name, before = stage["stage"], stage.get("dependsOn", list(self.results)[-1:])
            before = [before] if isinstance(before, str) else before
            known = {each: SimpleNamespace(result=self.results[each], outputs=self.outputs.get(each, {})) for each in before}
            started = self._holds(
                stage.get("condition", "succeeded()"), known, all(self.results[each] in PASSED for each in before)
            )
            self.results[name] = self._stage(stage) if started and name not in self.expired else "Skipped"
        return self

    def _stage(self, stage: dict[str, Any]) -> str:
        (job,) = stage["jobs"]
        grouped = {"group": "slipway"} in stage.get("variables", [])
        temporary = self.folder.parent / f"temporary-{stage['stage']}"
        temporary.mkdir()
        own = {"Agent.TempDirectory": str(temporary), "System.JobAttempt": "1"}
        for name, value in job.get("variables", {}).items():
            source, output = re.fullmatch(r"\$\[ stageDependencies\.(\w+\.\w+)\.outputs\['([\w.]+)'\] \]", value).groups()
            assert source.split(".")[0] in stage["dependsOn"], "outputs come from a stage that it names"
            own[name] = self.outputs[source.split(".")[0]][f"{source.split('.')[1]}.{output}"]
        steps = job["steps"] if "job" in job else job["strategy"]["runOnce"]["deploy"]["steps"]
        result = "Succeeded"
        for step in steps:
            variables = self.variables | own | (self.group if grouped else {})
            if self._holds(step.get("condition", "succeeded()"), {}, result == "Succeeded", variables):
                said = self._step(step, variables, self.secrets if grouped else {}, stage["stage"], job.get("job", "Release"))
                own |= said or {}
                result = result if said is not None else "Failed"
        return result

    def _step(self, step: dict[str, Any], variables: dict[str, str], secrets: dict[str, str], stage: str, job: str):
        """Variables that a step sets for those after it; None if it fails."""
        known = variables | secrets
        if "publish" in step:
            place = Path(_expanded(step["publish"], known))
            assert place.is_dir()
            self.artifacts[_expanded(step["artifact"], known)] = Path(shutil.copytree(place, self.folder.parent / "artifact"))
            return {}
        if "task" in step:
            assert step["task"] in TASKS, step["task"]
        if step.get("task") == "AzureCLI@2":
            assert (step["inputs"]["scriptType"], step["inputs"]["scriptLocation"]) == ("bash", "inlineScript")
            self.connections.append((stage, step["inputs"]["azureSubscription"]))
        script = step.get("bash") or step.get("inputs", {}).get("inlineScript")
        if script is None:
            return {}
        assert not MACRO.search(script), "what users set would be part of the program"
        environ = {name.upper().replace(".", "_"): value for name, value in variables.items()}
        environ |= {name: _expanded(value, known) for name, value in step.get("env", {}).items()}
        path = f"{self.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env={"PATH": path, "HOME": str(self.folder.parent), "PROGRAMS": str(self.programs)} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        self.log += done.stdout
        set_now = self._commands(done.stdout, stage, job, step.get("name", ""))
        return None if done.returncode else set_now

    def _commands(self, said: str, stage: str, job: str, step: str) -> dict[str, str]:
        found = {}
        for match in COMMAND.finditer(said):
            properties = dict(each.split("=", 1) for each in match["properties"].split(";") if each)
            if match["what"] == "uploadsummary":
                self.summaries.append(Path(match["value"]).read_text())
            elif match["what"] == "logissue":
                self.errors.append(match["value"])
            elif properties.get("isOutput") == "true":
                assert step, "an output is of a step with a name"
                self.outputs.setdefault(stage, {})[f"{job}.{step}.{properties['variable']}"] = match["value"]
            else:
                found[properties["variable"]] = match["value"]
        return found

    def _holds(self, condition: str, known: dict[str, Any], passed: bool, variables: dict[str, str] | None = None) -> bool:
        text = re.sub(r"\b(and|or|in|not)\(", r"\1_(", condition)
        text = re.sub(r"\bdependencies\.(\w+)\.outputs\['([\w.]+)'\]", r"dependencies['\1'].outputs.get('\2', '')", text)
        text = re.sub(r"\bdependencies\.(\w+)\.result", r"dependencies['\1'].result", text)
        names = {
            "and_": lambda *each: all(each),
            "or_": lambda *each: any(each),
            "not_": lambda each: not each,
            "in_": lambda each, *others: each in others,
            "eq": lambda one, other: one.lower() == other.lower(),
            "ne": lambda one, other: one.lower() != other.lower(),
            "canceled": lambda: False,
            "succeeded": lambda: passed,
            "succeededOrFailed": lambda: True,
            "variables": _Unset(self.variables | (variables or {})),
            "dependencies": known,
        }
        return bool(eval(" ".join(text.split()), {"__builtins__": {}}, names))


class _Unset(dict):
    def __missing__(self, name: str) -> str:
        return ""


def _expanded(text: str, variables: dict[str, str]) -> str:
    """What is not set stays as it is, as in Azure Pipelines."""
    return MACRO.sub(lambda found: variables.get(found["name"], found[0]), text)
