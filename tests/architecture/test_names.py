"""Class names are unique in the package, and variables and functions are named after what they hold or do."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from tests.architecture.sources import FILES, PACKAGE, REPOSITORY, name_of, repository_files, tree_of

# Words that say nothing about the value.
VAGUE_NAMES = {"one", "found", "told", "said", "wanted"}


def _bound_names(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and name of every variable, parameter, attribute, function, class and import that the module binds."""
    bound: list[tuple[int, str | None]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                bound.append((node.lineno, name))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.append((node.lineno, name))
            case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.ExceptHandler(name=name):
                bound.append((node.lineno, name))
            case ast.alias(asname=name):
                bound.append((node.lineno, name))
    return [(line, name) for line, name in bound if name is not None]


def _vague_names(tree: ast.Module) -> list[tuple[int, str]]:
    return [(line, name) for line, name in _bound_names(tree) if name.strip("_").lower() in VAGUE_NAMES]


def _tree(path: Path) -> ast.Module:
    """Only trees of the package are kept: other tests need them, too."""
    return tree_of(path) if path.is_relative_to(PACKAGE) else ast.parse(path.read_text(encoding="utf-8"))


def test_no_two_classes_have_the_same_name() -> None:
    places = defaultdict(list)
    for path in FILES:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name_of(path))
    repeated = {name: paths for name, paths in places.items() if len(paths) > 1}
    # A callback has the same name in each framework's module: users import one of them.
    repeated.pop("BackpropCallback", None)
    assert not repeated


def test_variables_and_functions_are_named_after_what_they_hold_or_do() -> None:
    vague = [
        f"{path.relative_to(REPOSITORY)}:{line} {name}"
        for path in repository_files()
        for line, name in _vague_names(_tree(path))
    ]
    assert vague == []


def test_the_sources_of_each_folder_are_checked() -> None:
    folders = {path.relative_to(REPOSITORY).parts[0] for path in repository_files()}
    assert {"backprop_tui", "benchmarks", "examples", "packaging", "screenshots", "tests"} <= folders


@pytest.mark.parametrize(
    "code",
    [
        "found = 1",
        "for one in (): pass",
        "[one for one in ()]",
        "lambda told: 0",
        "def f(*, wanted): pass",
        "def said(): pass",
        "async def _told(): pass",
        "class Found: pass",
        "self.found = 1",
        "(found := 1)",
        "import x as found",
        "try: pass\nexcept E as told: pass",
        "match x:\n case [*found]: pass",
        "match x:\n case {'a': one}: pass",
    ],
)
def test_each_way_to_bind_a_vague_name_is_detected(code: str) -> None:
    assert len(_vague_names(ast.parse(code))) == 1


def test_words_in_texts_and_parts_of_names_are_allowed() -> None:
    assert _vague_names(ast.parse("one_line = 'found = 1'\nprint(found.told)")) == []
