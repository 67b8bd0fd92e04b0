"""The time that the modules of a short command take to import, beyond a bare Python start."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.measurement import Plan, Result, interleaved, sample_result
from benchmarks.sandbox import BARE_PYTHON, Sandbox, open_sandbox
from benchmarks.timing import MILLISECONDS, seconds

# First what any command with options and JSON needs, then ours.
STATEMENTS = {
    "argparse": "import argparse",
    "json": "import json",
    "dataclasses": "import dataclasses",
    "argparse, json, dataclasses": "import argparse, json, dataclasses",
} | {
    f"{command}: parser and command": f"import backprop_tui.cli.invocation, backprop_tui.cli.commands.{command}"
    for command in ("list", "status", "stop", "run")
}


def measure(plan: Plan) -> list[Result]:
    with open_sandbox() as sandbox:
        ways = {name: _import(sandbox, statement) for name, statement in STATEMENTS.items()}
        samples = interleaved(plan.rounds, {"python": lambda: seconds(BARE_PYTHON, sandbox.environment)} | ways)
    python = samples["python"].median
    return [
        sample_result(
            f"import, {name}",
            samples[name].scaled(1 / python, offset=python),
            "starts",
            remark=f"{(samples[name].median - python) * MILLISECONDS:.1f} ms; Python {python * MILLISECONDS:.1f}",
        )
        for name in STATEMENTS
    ]


def _import(sandbox: Sandbox, statement: str) -> Callable[[], float]:
    return lambda: seconds((sys.executable, "-c", f"{statement}; import os; os._exit(0)"), sandbox.environment)
