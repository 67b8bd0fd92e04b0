"""Runs an example script in a process, and collects its output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_SECONDS = 60
# The interpreter with torch, if the interpreter of the tests does not have it.
TORCH_PYTHON_VARIABLE = "TORCH_PYTHON"

Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The JSON lines that a process printed, its stderr and its exit code."""

    lines: list[Line]
    exit_code: int
    errors: str

    @property
    def progress(self) -> list[Line]:
        return [line for line in self.lines if "event" not in line]

    @property
    def checkpoints(self) -> list[Line]:
        return [line for line in self.lines if line.get("event") == "checkpoint_saved"]

    @property
    def last_checkpoint(self) -> str:
        path = self.checkpoints[-1]["path"]
        assert isinstance(path, str)
        return path

    def checkpoint_of(self, step: int) -> str:
        (path,) = (line["path"] for line in self.checkpoints if line["step"] == step)
        assert isinstance(path, str)
        return path

    def curve_after(self, step: int) -> list[Line]:
        return [line for line in self.progress if line["step"] > step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A script in `examples/`, and an interpreter with the packages that it imports."""

    name: str
    python: str
    epochs_to_accuracy: int

    def run(
        self, folder: Path, *flags: str, environment: Mapping[str, str] | None = None, wrapper: tuple[str, ...] = ()
    ) -> Transcript:
        """Runs the script to its end, without supervision."""
        completed = subprocess.run(
            [*wrapper, *self._command(flags)],
            cwd=folder,
            env=_environment(environment),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        lines = [json.loads(line) for line in completed.stdout.splitlines()]
        return Transcript(lines=lines, exit_code=completed.returncode, errors=completed.stderr)

    def run_until(
        self,
        folder: Path,
        matches: Callable[[Line], bool],
        signal_to_send: signal.Signals,
        *flags: str,
        wrapper: tuple[str, ...] = (),
    ) -> Transcript:
        """Sends a signal at the first line that matches."""
        command = [*wrapper, *self._command(flags)]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=folder, env=_environment(None), stdout=pipe, stderr=pipe, text=True
        ) as process:
            try:
                lines = list(_lines_and_signal(process, matches, signal_to_send))
                assert process.stderr is not None
                errors = process.stderr.read()
                exit_code = process.wait(TIMEOUT_SECONDS)
            finally:
                process.kill()
        return Transcript(lines=lines, exit_code=exit_code, errors=errors)

    def _command(self, flags: tuple[str, ...]) -> list[str]:
        return [self.python, str(EXAMPLES / self.name), *flags]


def _lines_and_signal(
    process: subprocess.Popen[str], matches: Callable[[Line], bool], signal_to_send: signal.Signals
) -> Iterator[Line]:
    assert process.stdout is not None
    sent = False
    for text in process.stdout:
        line = json.loads(text)
        if not sent and matches(line):
            process.send_signal(signal_to_send)
            sent = True
        yield line


def _environment(added: Mapping[str, str] | None) -> dict[str, str]:
    """Returns the tests' environment without the variables that a supervisor of the tests may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BACKPROP_")} | dict(added or {})


def numpy_example() -> Example:
    return Example(name="train_digits.py", python=sys.executable, epochs_to_accuracy=60)


def torch_example() -> Example:
    """Returns the PyTorch example; skips the test if its interpreter has no torch."""
    python = os.environ.get(TORCH_PYTHON_VARIABLE, sys.executable)
    check = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    if subprocess.run([python, "-c", check], check=False).returncode != 0:
        pytest.skip(f"{python} has no torch; {TORCH_PYTHON_VARIABLE} can name an interpreter that has it")
    return Example(name="train_torch.py", python=python, epochs_to_accuracy=15)
