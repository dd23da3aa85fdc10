"""The package's source as syntax trees, and questions about it that no linter answers."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import asyncflow

ROOT = Path(__file__).parents[2]
PACKAGE = Path(asyncflow.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of source.

    Attributes:
        name: its dotted name.
        text: what it says.
    """

    name: str
    text: str

    @property
    def part(self) -> str:
        """The module or folder right below the package that it belongs to; empty for the package itself."""
        return self.name.split(".")[1] if "." in self.name else ""

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What the names that it imports stand for: `t` for `time` after `import time as t`."""
        known: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    top = name.name.split(".")[0]
                    known[name.asname or top] = name.name if name.asname else top
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    known[name.asname or name.name] = f"{node.module}.{name.name}"
        return known

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the dotted name of all that it imports, inside functions too."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)

    def dotted(self, node: ast.AST) -> str:
        """Return what a name or a chain of attributes stands for; empty when it begins with neither."""
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.aliases.get(node.id, node.id), *reversed(chain)])

    def imported(self, node: ast.AST) -> str:
        """Return what a name or a chain of attributes stands for, when its beginning was imported."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return self.dotted(node) if isinstance(root, ast.Name) and root.id in self.aliases else ""

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Yield every call with what is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield node, self.dotted(node.func)

    def definitions(self) -> Iterator[tuple[str, Function | ast.ClassDef]]:
        """Yield the functions, classes and methods that are no part of a function, by dotted name."""
        yield from _definitions(self.tree.body, self.name)

    def __str__(self) -> str:
        return self.name


def _definitions(body: list[ast.stmt], name: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            yield f"{name}.{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, f"{name}.{node.name}")


def _read(path: Path) -> Module:
    inside = path.relative_to(PACKAGE.parent).with_suffix("")
    parts = inside.parts[:-1] if inside.name == "__init__" else inside.parts
    return Module(".".join(parts), path.read_text(encoding="utf-8"))


MODULES = tuple(_read(path) for path in sorted(PACKAGE.rglob("*.py")))


def floors() -> list[list[str]]:
    """Return the floors of the import contract, from the top."""
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def below(floor: str) -> set[str]:
    """Return the modules and folders below a floor."""
    position = next(number for number, names in enumerate(floors()) if floor in names)
    return {name for names in floors()[position + 1 :] for name in names}
