"""The package as syntax trees, for the tests of its structure. Nothing here imports what it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "playground"


@dataclass(frozen=True)
class Module:
    """One source file: where it is, its layer ("sampling", "errors", "app.py", ...), its text and its tree."""

    path: str
    """Relative to the root, with slashes."""
    text: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        parts = Path(self.path).parts
        return parts[0] if len(parts) == 1 else parts[1].removesuffix(".py")

    def imports(self) -> Iterator[tuple[int, str, str]]:
        """(line, module, name) of every import, those inside functions too; name is "" for ``import module``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name, ""
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{self.path}:{node.lineno}: imports are absolute here"
                for alias in node.names:
                    yield node.lineno, node.module or "", alias.name

    def inner_layers(self) -> Iterator[tuple[int, str]]:
        """(line, layer) of every import from this package."""
        for line, module, name in self.imports():
            if module == "playground" and name:
                yield line, name
            elif module.startswith("playground."):
                yield line, module.split(".")[1]


@cache
def modules() -> tuple[Module, ...]:
    """app.py and every module of the package."""
    files = [ROOT / "app.py", *sorted(PACKAGE.rglob("*.py"))]
    found = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        found.append(Module(file.relative_to(ROOT).as_posix(), text, ast.parse(text, str(file))))
    return tuple(found)
