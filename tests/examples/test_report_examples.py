"""The minimal example of each framework: asked to stop it saves, and a resumed run continues from there.

`TORCH_PYTHON` can name an interpreter that has the frameworks; an example without its framework is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.readers.log_reader import LogReader
from tests.examples.scripts import EXAMPLES, TORCH_PYTHON_VARIABLE
from tests.support.waiting import wait_until

PYTHON = os.environ.get(TORCH_PYTHON_VARIABLE, sys.executable)
FRAMEWORKS = {
    "report_torch.py": "torch",
    "huggingface_trainer.py": "transformers",
    "lightning_trainer.py": "lightning",
    "keras_fit.py": "keras",
}
START_SECONDS = 100.0  # importing a framework is slow on a busy machine


@dataclass(frozen=True, slots=True)
class Example:
    """A script with a run directory; the test takes the part of the guardian."""

    name: str
    run: Path
    cwd: Path

    def start(self, attempt: int, resume_from: str | None = None) -> subprocess.Popen[bytes]:
        variables = {
            "BACKPROP_RUN_DIR": str(self.run),
            "BACKPROP_ATTEMPT": str(attempt),
            "BACKPROP_RESUME_FROM": resume_from or "",
            "PYTHONPATH": str(EXAMPLES.parent),
            "PYTHONUNBUFFERED": "1",
            "KERAS_BACKEND": "torch",
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
        }
        with open(self.run / "output.log", "ab") as log:
            return subprocess.Popen(
                [PYTHON, str(EXAMPLES / self.name), "--pace", "0.02"],
                cwd=self.cwd,
                env=os.environ | variables,
                stdout=log,
                stderr=log,
            )

    def request_stop(self, attempt: int) -> None:
        new = self.run / "new"
        new.write_text(json.dumps({"attempt": attempt, "stopping": {"stage": 0}}))
        new.replace(self.run / "live.json")

    def losses(self) -> list[Progress]:
        """Returns the progress with a loss; a progress bar may report other steps between them."""
        steps = [value for value in self._values() if isinstance(value, Progress) and value.step is not None]
        return [step for step in steps if any(name in ("loss", "train_loss") for name in step.metrics)]

    def checkpoints(self) -> list[CheckpointSaved]:
        return [value for value in self._values() if isinstance(value, CheckpointSaved)]

    def _values(self) -> list[Progress | CheckpointSaved]:
        return LogReader().feed((self.run / "output.log").read_bytes())

    def run_until(self, attempt: int, condition: Callable[[], object], resume_from: str | None = None) -> int:
        """Asks the script to stop once the condition holds; returns its exit code."""
        process = self.start(attempt, resume_from)
        try:
            wait_until(
                lambda: process.poll() is not None or condition(),
                f"{self.name} trains",
                seconds=START_SECONDS,
                report=lambda: (self.run / "output.log").read_text(errors="replace")[-3000:],
            )
            self.request_stop(attempt)
            return process.wait(timeout=START_SECONDS)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(params=FRAMEWORKS)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    name: str = request.param
    check = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({FRAMEWORKS[name]!r}) is None)"
    if subprocess.run([PYTHON, "-c", check], check=False).returncode != 0:
        pytest.skip(f"{PYTHON} has no {FRAMEWORKS[name]}; {TORCH_PYTHON_VARIABLE} can name an interpreter that has it")
    example = Example(name, tmp_path / "run", tmp_path / "cwd")
    example.run.mkdir()
    example.cwd.mkdir()
    return example


@pytest.mark.timeout(4 * START_SECONDS)
def test_it_saves_when_asked_to_stop_and_a_resumed_run_continues_from_there(example: Example) -> None:
    started = time.monotonic()
    assert example.run_until(1, lambda: len(example.losses()) >= 2) == 0
    saved = example.checkpoints()[-1]
    assert Path(saved.path).exists()
    assert saved.step is not None
    known = len(example.losses())
    code = example.run_until(2, lambda: len(example.losses()) >= known + 2, saved.path)
    assert code == 0, f"after {time.monotonic() - started:.0f} s"
    resumed = example.losses()[known:]
    first = resumed[0].step
    assert first is not None
    assert saved.step < first <= saved.step + 32
    assert resumed[0].total_steps is not None
    last = example.checkpoints()[-1]
    assert last.step is not None
    assert last.step > saved.step
