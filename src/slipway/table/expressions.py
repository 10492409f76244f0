"""Expressions: a small language of columns, numbers and a few functions, computed with NumPy.

It is read by Python's grammar, but nothing of it is executed: a part is one of those below, or refused. Where a cell is
missing, the result is; so it is where there is none that a model can read, as of a division by zero.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, TypeGuard

import numpy as np

from slipway.errors import TableError
from slipway.kinds import GREATEST
from slipway.settings import meant
from slipway.table.date_parts import PARTS, date_part
from slipway.table.schema import MISSING, Columns

LONGEST = 1_000
DEEPEST = 100
MOST_BINS = 20
LARGEST = float(np.finfo(np.float32).max)  # trees read numbers of single precision
QUOTED = re.compile(r"""(`[^`]*`)|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(#)""")
Compute = Callable[[Columns], np.ndarray]
OPERATORS: dict[type[ast.operator], tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}
OF_ONE: dict[str, Callable[[np.ndarray], np.ndarray]] = {"log": np.log, "sqrt": np.sqrt, "abs": np.abs}
OF_SEVERAL: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"min": np.minimum, "max": np.maximum}
BINNING = ("bin", "quantiles")
FUNCTIONS = (*OF_ONE, *OF_SEVERAL, *PARTS, *BINNING)
SIGNS = " ".join(sign for sign, _ in OPERATORS.values())
ALLOWED = f"Use columns, numbers, {SIGNS} ( ) and {', '.join(FUNCTIONS)}"


@dataclass(frozen=True)
class Part:
    """A part of an expression: how it is computed, and whether that is a date."""

    compute: Compute
    is_date: bool = False


@dataclass(frozen=True)
class Expression:
    """What one column is computed by.

    Parameters
    ----------
    text : str
    columns : tuple of str
        Those that it reads.
    levels : tuple of str
        Of a binned number, in words; empty for a number.
    """

    text: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    _compute: Compute

    @property
    def type(self) -> Literal["category", "number"]:
        return "category" if self.levels else "number"

    def column(self, columns: Columns) -> np.ndarray:
        """The column of n rows: numbers, NaN where missing; or codes of `levels`, MISSING where missing."""
        with np.errstate(all="ignore"):
            found = self._compute(columns)
        return found if self.levels else np.where(np.abs(found) <= LARGEST, found, np.nan)


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that an expression reads as it was written; TableError when it is none."""
    if len(text) > LONGEST:
        raise TableError(f"longer than {LONGEST:,} characters", "Make a column of it in the table")
    return _names(_tree(text))


def _names(tree: ast.expr) -> tuple[str, ...]:
    names = [_name(node) for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.Constant))]
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    functions = [node.id for node in called if isinstance(node, ast.Name)]
    for name in functions:
        names.remove(name)
    return tuple(dict.fromkeys(name for name in names if name))


def expression(text: str, types: Mapping[str, str]) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text : str
    types : mapping
        Column → its type, of all columns that it may read.

    Raises
    ------
    TableError
        When it is no expression, or its parts do not fit one another.
    """
    tree = _tree(text)
    columns = _names(tree)
    if not columns:
        raise TableError(f"{text!r} reads no column", ALLOWED)
    if not _calls(tree, "bin"):
        return Expression(text, columns, (), _number(tree, types))
    edges, inner = _edges(tree), _number(tree.args[0], types)
    return Expression(text, columns, _ranges(edges), lambda rows: _binned(inner(rows), edges))


def formula(text: str) -> Any:
    """An expression that is sound, as JSON for programs in other languages.

    A number; ``["column", name]``; or an operator, ``negative`` or a function, and what it is applied to.
    """
    return _formula(_tree(text))


def _formula(node: ast.expr) -> Any:
    if name := _name(node):
        return ["column", name]
    number = _constant(node)
    if number is not None:
        return number
    if isinstance(node, ast.UnaryOp):
        inner = _formula(node.operand)
        return ["negative", inner] if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        sign, _ = OPERATORS[type(node.op)]
        return [sign, _formula(node.left), _formula(node.right)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return [node.func.id, *map(_formula, node.args)]
    raise TableError(f"{ast.unparse(node)!r} is not supported", ALLOWED)


def fitted(text: str, types: Mapping[str, str], columns: Columns) -> str:
    """The same with what it learns of these columns: ``quantiles(x, 4)`` becomes ``bin(x, …)``."""
    tree = _tree(text)
    if not _calls(tree, "quantiles"):
        return text
    inner = ast.unparse(tree.args[0]) if tree.args else ""
    number = _constant(tree.args[1]) if len(tree.args) == 2 else None
    if number is None or not 2 <= number <= MOST_BINS or number % 1:
        says = f"quantiles needs a number, and into how many parts to divide it, from 2 to {MOST_BINS}"
        raise TableError(says, "Write it like quantiles(age, 4)")
    values = expression(inner, types).column(columns)
    known = values[~np.isnan(values)]
    shares = np.linspace(0, 1, int(number) + 1)[1:-1]
    edges = np.unique(np.quantile(known, shares)) if len(known) else np.zeros(1)
    return f"bin({inner}, {', '.join(repr(float(edge)) for edge in edges)})"


def _tree(text: str) -> ast.expr:
    quoted = QUOTED.sub(_as_text, text.strip())
    try:
        tree = ast.parse(quoted, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        cure = f"{ALLOWED}. Put names with blanks or other signs in backticks"
        raise TableError(f"{text!r} is not an expression", cure) from error
    level: list[ast.AST] = [tree]
    depth = 0
    while level := [child for node in level for child in ast.iter_child_nodes(node)]:
        depth += 1
    if depth > DEEPEST:
        raise TableError(f"{text[:40]}… is nested too deeply", "Make a column of it in the table")
    if not quoted.isascii():
        for name in (node for node in ast.walk(tree) if isinstance(node, ast.Name)):
            name.id = ast.get_source_segment(quoted, name) or name.id  # Python reads the micro sign as a Greek letter
    return tree


def _as_text(found: re.Match[str]) -> str:
    """A name in backticks as Python writes a text, and a text as it is; a comment's sign is made one of no grammar."""
    in_backticks, comment = found.groups()
    return repr(in_backticks[1:-1]) if in_backticks else "?" if comment else found[0]


def _calls(node: ast.expr, function: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function


def _name(node: ast.expr) -> str:
    """The column that a part names; empty when it names none."""
    if isinstance(node, ast.Name):
        return node.id
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _constant(node: ast.expr) -> float | None:
    """The number that a part says, or None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    value = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value > GREATEST:
        return None
    return float(value)


def _number(node: ast.expr, types: Mapping[str, str]) -> Compute:
    return _plain(_part(node, types), node)


def _plain(part: Part, node: ast.expr) -> Compute:
    """How a part is computed that must be a number."""
    if part.is_date:
        shown = ast.unparse(node)
        raise TableError(f"{shown} is a date, not a number", f"Take a part of it, such as month({shown}), or subtract a date")
    return part.compute


def _part(node: ast.expr, types: Mapping[str, str]) -> Part:
    if name := _name(node):
        return _column(name, types)
    number = _constant(node)
    if number is not None:
        value = np.array(number)
        return Part(lambda rows: value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _number(node.operand, types)
        return Part((lambda rows: -inner(rows)) if isinstance(node.op, ast.USub) else inner)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return _calculation(node, types)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, node.args, types)
    raise TableError(f"{ast.unparse(node)!r} is not supported", ALLOWED)


def _column(name: str, types: Mapping[str, str]) -> Part:
    if name not in types:
        close = meant(name, {each.lower(): each for each in types}) if name else ""
        raise TableError(f"there is no column {name!r} to learn from", close or f"There are {', '.join(list(types)[:20])}")
    if types[name] == "category":
        raise TableError(f"column {name!r} is a category, not a number", "Its levels are learned from as they are")
    return Part(operator.itemgetter(name), types[name] == "date")


def _calculation(node: ast.BinOp, types: Mapping[str, str]) -> Part:
    left, right = _part(node.left, types), _part(node.right, types)
    _, calculate = OPERATORS[type(node.op)]
    if not (left.is_date and right.is_date and isinstance(node.op, ast.Sub)):  # days from one date to another
        _plain(left, node.left)
        _plain(right, node.right)
    return Part(lambda rows: calculate(left.compute(rows), right.compute(rows)))


def _call(name: str, arguments: Sequence[ast.expr], types: Mapping[str, str]) -> Part:
    if name in BINNING:
        raise TableError(f"{name} can only be the whole expression", f"Write it as a feature of its own: {name}(…)")
    if name not in FUNCTIONS:
        raise TableError(f"there is no function {name}", meant(name, FUNCTIONS) or ALLOWED)
    several = name in OF_SEVERAL
    if several and len(arguments) < 2 or not several and len(arguments) != 1:
        raise TableError(f"{name} takes {'two or more values' if several else 'one value'}, got {len(arguments)}")
    if name in PARTS:
        inner = _part(arguments[0], types)
        if not inner.is_date:
            raise TableError(f"{name} is a part of a date, and {ast.unparse(arguments[0])} is none")
        return Part(lambda rows: date_part(name, inner.compute(rows)))
    values = [_number(each, types) for each in arguments]
    if several:
        return Part(lambda rows: reduce(OF_SEVERAL[name], [each(rows) for each in values]))
    return Part(lambda rows: OF_ONE[name](values[0](rows)))


def _edges(node: ast.Call) -> np.ndarray:
    edges = [_constant(each) for each in node.args[1:]]
    known = [edge for edge in edges if edge is not None]
    if node.keywords or not 0 < len(known) == len(edges) <= MOST_BINS or sorted(set(known)) != known:
        raise TableError(f"bin needs a number and 1 to {MOST_BINS} ascending limits", "Write it like bin(age, 18, 30, 65)")
    return np.array(known)


def _ranges(edges: np.ndarray) -> tuple[str, ...]:
    shown = [f"{edge:g}" for edge in edges]
    if len(set(shown)) < len(shown):
        shown = [repr(float(edge)) for edge in edges]
    between = [f"{low} to {high}" for low, high in zip(shown, shown[1:])]
    return (f"below {shown[0]}", *between, f"{shown[-1]} or more")


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    codes: np.ndarray = np.where(~np.isfinite(values), MISSING, np.searchsorted(edges, values, side="right"))
    return codes
