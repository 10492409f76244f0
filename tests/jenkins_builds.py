"""A stand-in for Jenkins: runs the shell steps of a Jenkinsfile, stage by stage, each in the workspace of its agent."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from jenkinsfile import Node

SECRETS = {  # as withAccess binds them: parameter → variables
    "aws": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret-of-aws"},
    "registry": {"REGISTRY_USERNAME": "robot", "REGISTRY_PASSWORD": "s3cret-of-registry"},
    "kubeconfig": {"KUBECONFIG": "/run/secret/kubeconfig"},
}


class Failed(Exception):
    """A step of a stage failed."""


@dataclass
class Build:
    """One run of a pipeline.

    Parameters
    ----------
    folder : Path
        Of workspaces and all else.
    repository : Path
        What `checkout scm` clones.
    path : str
        ``PATH`` of the steps.
    branch : str
        ``main``, or ``PR-1``.
    settings : dict
        Of the folder around the job.
    previous : str
        Result of the build before.
    """

    folder: Path
    repository: Path
    path: str
    branch: str = "main"
    settings: dict[str, str] = field(default_factory=dict)
    train: bool = False
    previous: str = "SUCCESS"
    result: str = "SUCCESS"
    said: str = ""
    stages: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    mails: int = 0
    stashed: dict[str, str] = field(default_factory=dict)

    def run(self, pipeline: Node) -> "Build":
        try:
            self._stages(pipeline.get("stages"))
        except Failed:
            self.result = "FAILURE"
        for condition in pipeline.get("post").inner:
            if condition.name == "always" or self.result != self.previous:
                [script] = condition.inner
                sign = re.fullmatch(r"if \(env\.SLIPWAY_MAIL (==|!=) 'always'\)", script.inner[0].text)[1]
                chosen = (self.known.get("SLIPWAY_MAIL") == "always") == (sign == "==")
                self.mails += chosen and bool(self.known.get("SLIPWAY_MAIL_TO"))
        return self

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def calls(self) -> list[str]:
        """Every call of a stub, in order."""
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def _stages(self, stages: Node) -> None:
        for stage in stages.inner:
            when = stage.get("when")
            if when and not all(self._holds(each) for each in when.inner):
                continue
            if stage.get("stages"):
                self._stages(stage.get("stages"))
                continue
            self.stages.append(stage.string())
            self._stage(stage)

    def _holds(self, condition: Node) -> bool:
        if condition.name.startswith("before"):
            return True
        if condition.name == "branch":
            return self.branch == condition.string()
        if condition.name == "not":
            return not all(self._holds(each) for each in condition.inner)
        road = self.known.get("SLIPWAY_ROAD") or "box"
        return {
            "params.TRAIN": self.train,
            "env.SLIPWAY_APPROVERS ? true : false": bool(self.known.get("SLIPWAY_APPROVERS")),
            "(env.SLIPWAY_ROAD ?: 'box') == 'box'": road == "box",
            "(env.SLIPWAY_ROAD ?: 'box') != 'box'": road != "box",
        }[condition.inner[0].text]

    def _stage(self, stage: Node) -> None:
        workspace = self._workspace(stage)
        post = stage.get("post")
        done = "failure"
        try:
            self._steps(stage.get("steps").inner, workspace, {})
            done = "success"
        finally:
            for condition in post.inner if post else []:
                if condition.name in ("always", done):
                    self._steps(condition.inner, workspace, {})

    def _workspace(self, stage: Node) -> Path | None:
        """With what was committed, unless the stage says otherwise; what an earlier build left is still there."""
        if not stage.get("agent"):
            return None
        workspace = self.folder / stage.get("agent").get("label").string() / "workspace"
        workspace.mkdir(parents=True, exist_ok=True)
        if "skipDefaultCheckout()" not in [node.text for node in stage.walk()]:
            self._checkout(workspace)
        return workspace

    def _checkout(self, workspace: Path) -> None:
        if not (workspace / ".git").exists():
            git(self.folder, "clone", "--quiet", str(self.repository), str(workspace))
        git(workspace, "fetch", "--quiet", "origin")
        git(workspace, "checkout", "--quiet", "--force", "--detach", "origin/main")

    def _steps(self, steps: list[Node], workspace: Path | None, bound: dict[str, str]) -> None:
        for step in steps:
            if step.name == "withAccess":
                pairs = re.findall(r"(\w+): env\.(\w+)", step.text)
                more = [SECRETS[name] for name, setting in pairs if self.known.get(setting)]
                self._steps(step.inner, workspace, {key: value for each in more for key, value in each.items()})
            elif step.name == "withFolderProperties":
                self.known = self.settings
            elif step.name in ("script", "docker") and step.get("docker" if step.name == "script" else "sh"):
                self._steps(step.inner, workspace, bound)
            elif step.name == "sh":
                self._shell(step, workspace, bound)
            else:
                self.steps.append(step.text)
                self._other(step, workspace)

    def _other(self, step: Node, workspace: Path | None) -> None:
        if step.name == "deleteDir":
            shutil.rmtree(workspace)
        elif step.name == "checkout":
            self._checkout(workspace)
        elif step.name == "archiveArtifacts":
            self.archive.mkdir(exist_ok=True)
            for path in workspace.glob(step.string()):
                shutil.copy(path, self.archive)
        elif step.name == "stash":
            self.stashed = {"request.json": (workspace / "request.json").read_text()}
        elif step.name == "unstash":
            for name, text in self.stashed.items():
                (workspace / name).write_text(text)

    def _shell(self, step: Node, workspace: Path, bound: dict[str, str]) -> None:
        script = self.folder / "script.sh"
        script.write_text(step.string())
        script.chmod(0o755)
        environ = {
            "PATH": self.path,
            "HOME": "/nonexistent",
            "WORKSPACE_TMP": f"{workspace}@tmp",
            "CALLS": str(self.folder / "calls"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **self.known,
            **bound,
        }
        done = subprocess.run(
            [script], cwd=workspace, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        self.said += done.stdout
        if done.returncode:
            raise Failed(done.stdout)


def git(folder: Path, *arguments: str) -> str:
    """Output of git, with an identity and without anybody's settings."""
    environ = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout
