"""A reader of declarative Jenkinsfiles: blocks within blocks, and what may be where. It knows no more Groovy than that."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

POST = {
    "always",
    "changed",
    "fixed",
    "regression",
    "aborted",
    "failure",
    "success",
    "unstable",
    "unsuccessful",
    "notBuilt",
    "cleanup",
}
WHEN = {
    "branch", "buildingTag", "changelog", "changeset", "changeRequest", "environment", "equals", "expression", "tag",
    "triggeredBy", "not", "allOf", "anyOf", "beforeAgent", "beforeInput", "beforeOptions",
}  # fmt: skip
OF_STAGE = {"skipDefaultCheckout", "timeout", "retry", "timestamps", "lock"}
STEPS = {
    "sh", "echo", "junit", "stash", "unstash", "archiveArtifacts", "input", "milestone", "script", "withFolderProperties",
    "deleteDir", "checkout",
}  # fmt: skip
INSIDE = {  # section → what may be in it
    "pipeline": {"agent", "options", "parameters", "triggers", "environment", "tools", "libraries", "stages", "post"},
    "stages": {"stage"},
    "stage": {
        "agent",
        "options",
        "environment",
        "tools",
        "input",
        "when",
        "steps",
        "stages",
        "parallel",
        "matrix",
        "failFast",
        "post",
    },
    "agent": {"any", "none", "label", "node", "docker", "dockerfile", "kubernetes"},
    "docker": {"image", "label", "args", "registryUrl", "registryCredentialsId", "alwaysPull", "reuseNode", "customWorkspace"},
    "when": WHEN,
    "not": WHEN,
    "allOf": WHEN,
    "anyOf": WHEN,
    "post": POST,
    "parameters": {"string", "text", "booleanParam", "choice", "password"},
}
OF_PIPELINE = OF_STAGE | {
    "buildDiscarder", "checkoutToSubdirectory", "disableConcurrentBuilds", "disableResume", "newContainerPerStage",
    "preserveStashes", "quietPeriod", "skipStagesAfterUnstable", "parallelsAlwaysFailFast", "disableRestartFromStage",
}  # fmt: skip
BODIES = ("steps", "stages", "parallel", "matrix")
STRING = re.compile(r"'''(?:[^\\]|\\.)*?'''|'(?:[^'\\\n]|\\.)*'", re.DOTALL)


class Fault(Exception):
    """What is wrong with a Jenkinsfile, and in which line."""


@dataclass
class Node:
    """A statement, such as ``milestone(1)``, or a block with others inside."""

    text: str
    line: int
    inner: list["Node"] | None = None
    opened: list["Node"] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """The word that it begins with."""
        return re.match(r"\w*", self.text)[0]

    def get(self, name: str) -> "Node | None":
        """The first inner node of that name."""
        return next((node for node in self.inner or [] if node.name == name), None)

    def walk(self) -> Iterator["Node"]:
        yield self
        for node in self.inner or []:
            yield from node.walk()

    def string(self) -> str:
        """The first quoted text in it."""
        return STRING.search(self.text)[0].strip("'")


def read(source: str) -> list[Node]:
    """The top of a Jenkinsfile: ``pipeline``, and functions."""
    root = Node("", 1, [])
    stack, text, depth, place = [root], "", 0, 0

    def end() -> None:
        nonlocal text
        if text.strip():
            stack[-1].inner.append(Node(text.strip(), source.count("\n", 0, place - len(text.lstrip())) + 1))
        text = ""

    while place < len(source):
        if skipped := re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL).match(source, place):
            place = skipped.end()
            continue
        if source[place] in "'\"":
            after = _after_string(source, place)
            text, place = text + source[place:after], after
            continue
        sign = source[place]
        depth += (sign in "([") - (sign in ")]")
        if depth < 0:
            raise Fault(f"line {source.count(chr(10), 0, place) + 1}: nothing is open that {sign} would close")
        if sign == "{" and depth == 0:
            stack[-1].inner.append(Node(text.strip(), source.count("\n", 0, place) + 1, []))
            stack.append(stack[-1].inner[-1])
            text = ""
        elif sign == "}" and depth == 0:
            end()
            stack.pop()
            if not stack:
                raise Fault(f"line {source.count(chr(10), 0, place) + 1}: nothing is open that }} would close")
        elif sign == "\n" and depth == 0:
            end()
        else:
            text += sign
        place += 1
    end()
    if len(stack) > 1 or depth:
        raise Fault(f"line {stack[-1].line}: {stack[-1].text or '('} is never closed")
    return root.inner


def _after_string(source: str, place: int) -> int:
    if source[place] == "'":
        found = STRING.match(source, place)
        if not found:
            raise Fault(f"line {source.count(chr(10), 0, place) + 1}: a quote is never closed")
        return found.end()
    place, open_braces = place + 1, 0
    while place < len(source) and source[place] != "\n" and (open_braces or source[place] != '"'):
        open_braces += (source[place - 1 : place + 1] == "${") - bool(open_braces and source[place] == "}")
        place += 1
    if source[place : place + 1] != '"':
        raise Fault(f"line {source.count(chr(10), 0, place)}: a quote is never closed")
    return place + 1


def check(top: list[Node]) -> Node:
    """The pipeline; Fault if a section is misspelt, misplaced, empty or there twice."""
    functions = {node.text.split()[1].partition("(")[0] for node in top if node.name == "def"}
    [pipeline] = [node for node in top if node.name == "pipeline"]
    _check(pipeline, STEPS | functions, top=True)
    for needed in ("agent", "stages"):
        if not pipeline.get(needed):
            raise Fault(f"the pipeline has no {needed}")
    return pipeline


def _check(node: Node, steps: set[str], top: bool = False) -> None:
    allowed = INSIDE.get(node.name, steps)
    if node.name == "options":
        allowed = OF_PIPELINE if top else OF_STAGE
    if node.name in ("expression", "script", "environment"):
        return
    seen = set()
    if node.inner == []:
        raise Fault(f"line {node.line}: {node.name} is empty")
    for each in node.inner or []:
        if each.name not in allowed:
            raise Fault(f"line {each.line}: {each.name or each.text} has no place in {node.name}")
        if each.name in seen and node.name in ("pipeline", "stage", "post", "agent"):
            raise Fault(f"line {each.line}: {each.name} is there twice")
        seen.add(each.name)
        _check(each, steps, top=node.name == "pipeline" and each.name == "options")
    if node.name == "stage":
        if len(seen & set(BODIES)) != 1:
            raise Fault(f"line {node.line}: a stage has exactly one of {', '.join(BODIES)}")
        if not re.fullmatch(r"stage\('[^']+'\)", node.text):
            raise Fault(f"line {node.line}: a stage has a name, stage('…')")
