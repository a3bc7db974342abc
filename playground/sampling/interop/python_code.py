"""Python read as text: the calls in it and their literal arguments. Nothing is ever run or imported.

Knows nothing about any particular engine.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_NODES = 20_000
MAX_ITEMS = 20_000


class NotLiteral(Exception):
    """An expression that only running the code could resolve."""


@dataclass(frozen=True)
class Call:
    """One call: the last part of its name, its arguments as values; ``unread`` names those that are no literals."""

    name: str
    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


class Code:
    """A piece of Python as its calls and the plain values of its names; ``valid`` is False where it is no Python."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, Any] = {}
        self._tree: ast.Module | None = None
        try:
            self._tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        if sum(1 for _, _ in zip(ast.walk(self._tree), range(MAX_NODES + 1), strict=False)) > MAX_NODES:
            self._tree = None
            return
        for node in self._tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                try:
                    self.names[node.targets[0].id] = self.value(node.value)
                except NotLiteral:
                    self.names.pop(node.targets[0].id, None)

    @property
    def valid(self) -> bool:
        return self._tree is not None

    def calls(self, *names: str) -> Iterator[Call]:
        """Calls of functions with one of these names, whatever they are called on, in the order of the text."""
        if self._tree is None:
            return
        found = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and _name(node) in names]
        for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
            yield self._call(node)

    def items(self, name: str) -> list[Call]:
        """The calls inside the list that a call of ``name`` is given: LogitsProcessorList([A(1), B(2)])."""
        if self._tree is None:
            return []
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and _name(node) == name and node.args and isinstance(node.args[0], ast.List):
                return [self._call(item) if isinstance(item, ast.Call) else Call("?") for item in node.args[0].elts]
        return []

    def _call(self, node: ast.Call) -> Call:
        positional: list[Any] = []
        named: dict[str, Any] = {}
        unread: list[str] = []
        for argument in node.args:
            try:
                positional.append(self.value(argument))
            except NotLiteral:
                positional.append(None)
        for keyword in node.keywords:
            try:
                value = self.value(keyword.value)
            except NotLiteral:
                unread.append(keyword.arg or "**")
                continue
            if keyword.arg is not None:
                named[keyword.arg] = value
            elif isinstance(value, dict):
                named |= {key: item for key, item in value.items() if isinstance(key, str)}
        return Call(_name(node), tuple(positional), named, tuple(unread))

    def value(self, node: ast.expr, inside: bool = False) -> Any:
        """A literal, or a name that stands for one; NotLiteral for anything that would have to be run.

        ``inside`` a list or map a name stands for a number or text alone: lists of names of lists of names grow to 2^n.
        """
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str | int | float | bool | type(None)):
                return node.value
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number = self.value(node.operand)
            if isinstance(number, int | float) and not isinstance(number, bool):
                return -number if isinstance(node.op, ast.USub) else number
        elif isinstance(node, ast.List | ast.Tuple) and len(node.elts) <= MAX_ITEMS:
            found = [self.value(item, inside=True) for item in node.elts]
            return found if isinstance(node, ast.List) else tuple(found)
        elif isinstance(node, ast.Dict) and len(node.keys) <= MAX_ITEMS:
            return self._dictionary(node)
        elif isinstance(node, ast.Call) and _name(node) == "dict" and not node.args:
            return {one.arg: self.value(one.value, inside=True) for one in node.keywords if one.arg is not None}
        elif isinstance(node, ast.Name) and node.id in self.names:
            found = self.names[node.id]
            if not (inside and isinstance(found, list | tuple | dict)):
                return found
        raise NotLiteral

    def _dictionary(self, node: ast.Dict) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = self.value(key, inside=True) if key is not None else None
            if not isinstance(name, str | int | float | tuple):
                raise NotLiteral
            try:
                found[name] = self.value(value, inside=True)
            except TypeError:  # a tuple with a list in it
                raise NotLiteral from None
        return found


def _name(node: ast.Call) -> str:
    """``generate`` of ``model.generate(...)``."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def literal(value: Any) -> str:
    """A value as Python source."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple | list):
        inside = ", ".join(literal(item) for item in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _text(value: str) -> str:
    """In double quotes, with everything escaped that could end it or hide."""
    text = repr(value)
    if text[0] == "'" and '"' not in value:
        return '"' + text[1:-1] + '"'
    return text
