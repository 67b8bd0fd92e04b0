"""All text for a terminal passes two modules, which take out what a terminal would obey."""

from __future__ import annotations

import ast
from pathlib import Path

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent
COMMAND_LINE = ("cli", "client", "presentation", "plotting", "main.py")
STREAMS = ("sys.stdout", "sys.stderr", "sys.__stderr__", "traceback.print_exc")
DOORS = {"cli/output.py", "cli/diagnostics.py"}


def _writes_directly(tree: ast.Module) -> list[int]:
    """The lines that print, or use the standard streams."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in STREAMS)
    ]


def test_nothing_is_printed_around_the_modules_that_make_text_harmless() -> None:
    files = [
        path for name in COMMAND_LINE for path in ([PACKAGE / name] if "." in name else (PACKAGE / name).rglob("*.py"))
    ]
    direct = {str(path.relative_to(PACKAGE)): _writes_directly(ast.parse(path.read_text())) for path in files}
    assert {name: lines for name, lines in direct.items() if lines and name not in DOORS} == {}
    assert all(direct[name] for name in DOORS)  # it finds them
