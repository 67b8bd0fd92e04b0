"""One word, one meaning: class names are unique in the package, and variables are named after what they hold."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.architecture.sources import FILES, name_of, tree_of

# Words that say nothing about the value.
VAGUE_NAMES = {"one", "found", "told", "said", "wanted"}


def _bound_names(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and name of every variable, parameter and attribute that the module binds."""
    bound = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.append((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            bound.append((node.lineno, node.arg))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            bound.append((node.lineno, node.attr))
        elif (isinstance(node, ast.MatchAs | ast.MatchStar) and node.name is not None) or (
            isinstance(node, ast.ExceptHandler) and node.name is not None
        ):
            bound.append((node.lineno, node.name))
    return bound


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


def test_variables_are_named_after_what_they_hold() -> None:
    vague = [
        f"{name_of(path)}:{line} {name}"
        for path in FILES
        for line, name in _bound_names(tree_of(path))
        if name.strip("_") in VAGUE_NAMES
    ]
    assert vague == []
