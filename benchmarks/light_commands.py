"""What a light command does before it does anything: the time its modules take to load, over a bare Python start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec

from benchmarks.clock import MILLISECONDS, seconds
from benchmarks.figures import Figure, figure_of
from benchmarks.place import BARE_PYTHON, Place, place
from benchmarks.plan import Plan
from benchmarks.samples import in_turns

COMMANDS = ("list", "status", "stop", "run")
MODULES = {
    "argparse": "import argparse",
    "json": "import json",
    "dataclasses": "import dataclasses",
    "argparse, json, dataclasses": "import argparse, json, dataclasses",
}


def measure(plan: Plan) -> list[Figure]:
    """The floor of any command with options and JSON, then ours."""
    statements = dict(MODULES)
    for command in COMMANDS:
        module = f"backprop_tui.cli.commands.{command}"
        if find_spec(module) is not None:
            statements[f"{command}: parser and command"] = f"import backprop_tui.main, {module}"
    with place() as where:
        ways = {name: _import(where, statement) for name, statement in statements.items()}
        found = in_turns(plan.rounds, {"python": lambda: seconds(BARE_PYTHON, where.environment)} | ways)
    python = found["python"].median
    return [
        figure_of(
            f"import, {name}",
            found[name].scaled(1 / python, less=python),
            "starts",
            remark=f"{(found[name].median - python) * MILLISECONDS:.1f} ms over Python's {python * MILLISECONDS:.1f}",
        )
        for name in statements
    ]


def _import(where: Place, statement: str) -> Callable[[], float]:
    return lambda: seconds((sys.executable, "-c", f"{statement}; import os; os._exit(0)"), where.environment)
