"""Real scripts of current frameworks without backprop-tui: their output is read, their timebox ends, they are resumed.

`TORCH_PYTHON` names an interpreter that has the frameworks, `ULTRALYTICS_PYTHON` one that has ultralytics; scripts
without their framework are skipped. docs/frameworks.md says which output is recognized.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import StopRequest, TimeboxRequest
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.status import Status
from tests.support.sandbox import HOST, Sandbox, Submitted

SCRIPTS = Path(__file__).parent / "scripts"
REPOSITORY = Path(__file__).parents[2]
TRAINS_SECONDS = 150.0  # importing a framework is slow on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A script, its arguments, how it is resumed, and what must be recognized in its output."""

    script: str
    package: str
    arguments: tuple[str, ...] = ()
    resume_arg: str | None = None
    metrics: frozenset[str]
    total_steps: int | None = None
    total_epochs: int | None = None
    steps_between_checkpoints: int
    interpreter: str = "TORCH_PYTHON"

    @property
    def python(self) -> str:
        return os.environ.get(self.interpreter, sys.executable)


TRAININGS = {
    "transformers": Training(
        script="transformers_trainer.py",
        package="transformers",
        arguments=(
            *("--output_dir", "out", "--max_steps", "100000", "--report_to", "none"),
            *("--logging_steps", "5", "--save_steps", "20"),
        ),
        resume_arg="--resume_from_checkpoint {path}",
        metrics=frozenset(("loss", "grad_norm", "learning_rate")),
        total_steps=100_000,
        steps_between_checkpoints=20,
    ),
    "lightning with tqdm": Training(
        script="lightning_fit.py",
        package="lightning",
        resume_arg="--ckpt_path {path}",
        metrics=frozenset(("train_loss", "val_loss")),
        steps_between_checkpoints=20,
    ),
    "lightning with its default bar": Training(
        script="lightning_fit.py",
        package="lightning",
        arguments=("--bar", "default"),
        resume_arg="--ckpt_path {path}",
        metrics=frozenset(("train_loss", "val_loss")),
        steps_between_checkpoints=120,  # steps are known from the logger's file, which is written every 100 steps
    ),
    "keras, a line an epoch": Training(
        script="keras_backup.py",
        package="keras",
        arguments=("2",),
        metrics=frozenset(("loss", "mae")),
        total_epochs=500,
        steps_between_checkpoints=40,  # an epoch's line comes at its end, and the backup may be an epoch newer
    ),
    "keras, a bar": Training(
        script="keras_backup.py",
        package="keras",
        arguments=("1",),
        metrics=frozenset(("loss", "mae")),
        total_epochs=500,
        steps_between_checkpoints=20,
    ),
    "nanoGPT's style": Training(
        script="nanogpt_style.py",
        package="torch",
        resume_arg="--init_from=resume",
        metrics=frozenset(("loss",)),
        steps_between_checkpoints=100,
    ),
    "ultralytics": Training(
        script="ultralytics_train.py",
        package="ultralytics",
        resume_arg="{path}",
        metrics=frozenset(("box_loss", "cls_loss", "dfl_loss")),
        total_epochs=1000,
        steps_between_checkpoints=2,
        interpreter="ULTRALYTICS_PYTHON",
    ),
}


class Terminal:
    """Runs commands as a user types them, in the training's directory."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._folder = folder
        self._sandbox = sandbox

    def type(self, *arguments: str) -> str:
        settings = {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "torch", "YOLO_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
        # ultralytics writes to other folders if it detects pytest.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        completed = subprocess.run(
            [sys.executable, "-m", "backprop_tui", "--no-ui", *arguments],
            cwd=self._folder,
            env=inherited | settings | {"BACKPROP_HOST": HOST, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def run(self, training: Training, *arguments: str) -> Submitted:
        options = ["--python", training.python, "-m", "none"]
        if training.resume_arg is not None:
            options += ["--resume-arg", training.resume_arg]
        command = [str(SCRIPTS / training.script), "--", *arguments]
        return self._sandbox.submitted(self.type("run", "-d", *options, *command).strip())


@pytest.fixture(params=TRAININGS)
def training(request: pytest.FixtureRequest) -> Training:
    training = TRAININGS[request.param]
    check = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({training.package!r}) is None)"
    if subprocess.run([training.python, "-c", check], check=False).returncode != 0:
        pytest.skip(f"{training.python} has no {training.package}; {training.interpreter} can name one that has it")
    return training


@pytest.fixture
def sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    sandbox = Sandbox(str(home))
    yield sandbox
    sandbox.close()


@pytest.fixture
def terminal(tmp_path: Path, sandbox: Sandbox) -> Terminal:
    (tmp_path / "out").mkdir()
    return Terminal(tmp_path, sandbox)


def white_squares(training: Training, folder: Path) -> str:
    """Creates a data set for ultralytics with its interpreter; returns the path of its description."""
    command = [training.python, str(SCRIPTS / "white_squares.py"), str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def live_past_a_checkpoint(run: Submitted, attempt: int = 1, *, checkpoints: int = 1) -> Live | None:
    """Returns the live record once steps and enough checkpoints are known; None before."""
    live = run.live()
    if live is None or live.attempt != attempt or len(live.checkpoints) < checkpoints or live.step is None:
        return None
    last = live.checkpoints[-1].step
    return live if last is not None and live.step >= last > 0 else None


def steps_since(run: Submitted, known_lines: int) -> list[int]:
    return [line["step"] for line in run.metrics()[known_lines:] if isinstance(line["step"], int)]


@pytest.mark.timeout(600)
def test_its_output_is_read_and_a_resumed_run_continues_at_its_checkpoint(
    training: Training, terminal: Terminal, tmp_path: Path
) -> None:
    data_set = (white_squares(training, tmp_path / "squares"),) if training.package == "ultralytics" else ()
    run = terminal.run(training, *data_set, *training.arguments)
    live = run.wait(lambda: live_past_a_checkpoint(run), "steps and a checkpoint are known", seconds=TRAINS_SECONDS)
    assert live.metrics.keys() >= training.metrics
    if training.total_steps is not None:
        assert live.total_steps == training.total_steps

    run.ask(TimeboxRequest(max_run_seconds=0.001))
    ended = run.wait_for(Status.TIMEBOXED, seconds=60)
    known_lines = len(run.metrics())
    terminal.type("resume", "-d", "-m", "none", run.id)
    run.wait(lambda: len(steps_since(run, known_lines)) >= 2, "steps after the resume", seconds=TRAINS_SECONDS)
    assert_continues(run, ended.checkpoints, steps_since(run, known_lines), training)
    run.ask(StopRequest(by="person", reason="stopped by you", kill=True))
    run.wait_for_end()


def assert_continues(run: Submitted, checkpoints: tuple[Checkpoint, ...], steps: list[int], training: Training) -> None:
    resumed_from = run.run().attempts[-1].resumed_from
    assert resumed_from in {checkpoint.path for checkpoint in checkpoints}
    saved = next(checkpoint for checkpoint in reversed(checkpoints) if checkpoint.path == resumed_from)
    assert saved.step is not None
    assert (
        saved.step - training.steps_between_checkpoints <= steps[0] <= saved.step + training.steps_between_checkpoints
    )
    events = Path(run.directory.file("events.jsonl")).read_text()
    assert not [line for line in events.splitlines() if "resume" in json.loads(line)["event"] and "warn" in line]
