"""What a training script needs to be supervised well, for any model: options, progress, checkpoints and stopping.

Both examples use it; copy it next to your own script. It needs only the standard library, not backprop-tui.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import BinaryIO

SAVED_BEFORE_DEADLINE_SECONDS = 5.0


class CheckpointError(Exception):
    """A checkpoint cannot be read, or does not fit this run."""


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return a parser with the flags of any supervised script; backprop-tui's environment provides their defaults."""
    run_folder = os.environ.get("BACKPROP_RUN_DIR") or "."
    every_seconds = os.environ.get("BACKPROP_CHECKPOINT_EVERY_SECONDS") or "5"
    resume_from = os.environ.get("BACKPROP_RESUME_FROM") or None
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--resume-from", type=Path, default=resume_from, metavar="CHECKPOINT", help="continue exactly from there")
    add("--out", type=Path, default=Path(run_folder, "checkpoints"), metavar="FOLDER", help="folder for checkpoints")
    add("--checkpoint-every-seconds", type=seconds, default=every_seconds, metavar="S", help="0: never")
    add("--checkpoint-every-steps", type=int, default=0, metavar="N", help="0: never")
    add("--progress-every-seconds", type=seconds, default=0.1, metavar="S", help="0: each step")
    add("--pace", type=seconds, default=0.0, metavar="S", help="sleep after each step, to make a demo last longer")
    return parser


def seconds(text: str) -> float:
    duration = float(text)
    if not duration >= 0:  # NaN too
        raise argparse.ArgumentTypeError(f"{text} is not a duration in seconds")
    return duration


def at_least_one(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def report(**fields: object) -> None:
    """Print a JSON object as one line, unbuffered: a buffered line is lost when the process is killed."""
    print(json.dumps(fields), flush=True)


class StopRequest:
    """Remembers SIGINT or SIGTERM until the training reaches a step boundary.

    The handler does nothing else: if it saved, the weights could be half updated, or another save in progress.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        # Background jobs of a shell script inherit an ignored SIGINT; this undoes it.
        signal.signal(signal.SIGINT, self._remember)
        signal.signal(signal.SIGTERM, self._remember)

    def _remember(self, signal_number: int, frame: FrameType | None) -> None:
        self.signal_number = signal_number
        signal.signal(signal_number, signal.SIG_DFL)  # a second signal ends the process at once


class Cadence:
    """Is due each time an interval has passed, measured on a clock that changes of the system time do not affect."""

    def __init__(self, every_seconds: float) -> None:
        self.every_seconds = every_seconds
        self.last = time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < self.every_seconds:
            return False
        self.last = now
        return True


class Checkpoints:
    """Saves at intervals of seconds or steps, shortly before the deadline, and at the end."""

    def __init__(self, options: argparse.Namespace, suffix: str, write: Callable[[BinaryIO], None]) -> None:
        self.folder: Path = options.out
        self.suffix = suffix
        self.write = write
        self.every_steps: int = options.checkpoint_every_steps
        self.cadence = Cadence(options.checkpoint_every_seconds or math.inf)
        # The stop signal at the deadline makes us save too; this covers a step that takes longer than the grace period.
        self.save_at = deadline(os.environ) - SAVED_BEFORE_DEADLINE_SECONDS
        self.saved_step: int | None = None

    def save_if_due(self, step: int) -> None:
        before_deadline = time.time() >= self.save_at
        if before_deadline:
            self.save_at = math.inf
        if self.cadence.due() or before_deadline or (self.every_steps > 0 and step % self.every_steps == 0):
            self.save(step)

    def save_unless_saved(self, step: int) -> None:
        if self.saved_step != step:
            self.save(step)

    def save(self, step: int) -> None:
        """Write and sync a temporary file, then rename it: even after a power failure the file is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = (self.folder / f"step-{step:06}{self.suffix}").absolute()
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        with open(unfinished, "wb") as file:
            self.write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        self.saved_step = step
        report(event="checkpoint_saved", path=str(path), step=step)


def deadline(environment: Mapping[str, str]) -> float:
    """Return when the supervisor will end this run, in seconds since the epoch; infinity without a limit."""
    if timestamp := environment.get("BACKPROP_DEADLINE"):
        return float(timestamp)
    if minutes := environment.get("BACKPROP_MAX_MINUTES"):
        return time.time() + 60 * float(minutes)
    return math.inf


def check_settings(path: Path, saved: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Reject a checkpoint of a run with other settings: its weights would not fit, or the loss curve would break.

    Raises:
        CheckpointError: names the first setting that differs, by its flag.
    """
    for name, value in now.items():
        if saved.get(name) != value:
            flag = "--" + name.replace("_", "-")
            raise CheckpointError(f"{path} was saved with {flag} {saved.get(name)}, but this run has {flag} {value}")
