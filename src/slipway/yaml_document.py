"""The YAML of slipway.yaml, read strictly: its errors name the file, the line, and the cure."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from slipway.errors import ProblemError
from slipway.settings import described


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not text", key.start_mark)
            if key.value in seen:
                says = f"the key {key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, says, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def text_of(path: Path) -> str:
    """The text of a problem file; ProblemError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        cure = "Write one with: slipway init TABLE.csv --target COLUMN"
        raise ProblemError(f"{path}: there is no such file", cure) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def document_in(content: str, path: Path) -> Mapping[Any, Any]:
    """What the text says; ProblemError with `path` and the line when it is not YAML, repeats a key, or has no settings."""
    try:
        document = yaml.load(content, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProblemError(f"{path}, line {line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProblemError(f"{path}: not valid YAML ({type(error).__name__})") from error
    if not isinstance(document, Mapping):
        raise ProblemError(f"{path}: expected settings such as name, source and target, got {described(document)}")
    return document
