"""What a training script does to be supervised well: settings, progress, checkpoints and stopping, whatever the model.

Both examples use it; copy it beside a script of your own. It needs the standard library alone, and no backprop-tui.
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
    """A checkpoint that cannot be read, or does not fit this run."""


def parser_of(description: str) -> argparse.ArgumentParser:
    """The flags of any supervised script; their defaults come from the environment that backprop-tui gives it."""
    run_folder = os.environ.get("BACKPROP_RUN_DIR") or "."
    every_seconds = os.environ.get("BACKPROP_CHECKPOINT_EVERY_SECONDS") or "5"
    resume_from = os.environ.get("BACKPROP_RESUME_FROM") or None
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--resume-from", type=Path, default=resume_from, metavar="CHECKPOINT", help="go on from there, exactly")
    add("--out", type=Path, default=Path(run_folder, "checkpoints"), metavar="FOLDER", help="of the checkpoints")
    add("--checkpoint-every-seconds", type=seconds, default=every_seconds, metavar="S", help="0: never")
    add("--checkpoint-every-steps", type=int, default=0, metavar="N", help="0: never")
    add("--progress-every-seconds", type=seconds, default=0.1, metavar="S", help="0: each step")
    add("--pace", type=seconds, default=0.0, metavar="S", help="sleep so long after each step: a demo lasts longer")
    return parser


def seconds(text: str) -> float:
    """A duration, for argparse."""
    duration = float(text)
    if not duration >= 0:  # NaN too
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return duration


def at_least_one(text: str) -> int:
    """A count, for argparse."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def report(**fields: object) -> None:
    """Print one JSON object on a line of its own, at once: a buffered line is lost when the process is killed."""
    print(json.dumps(fields), flush=True)


class StopRequest:
    """Remembers SIGINT or SIGTERM until training comes to a step boundary.

    The handler does nothing else: a save from inside it could find the weights half updated, or another save under way.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        # Also undoes an ignored SIGINT, which the background jobs of a shell script inherit.
        signal.signal(signal.SIGINT, self._remember)
        signal.signal(signal.SIGTERM, self._remember)

    def _remember(self, signal_number: int, frame: FrameType | None) -> None:
        self.signal_number = signal_number
        signal.signal(signal_number, signal.SIG_DFL)  # a second one ends the process at once


class Cadence:
    """Comes due each time its seconds have passed, on a clock that no change of the time moves."""

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
    """Saves every so many seconds or steps, shortly before the deadline, and at the end."""

    def __init__(self, options: argparse.Namespace, suffix: str, write: Callable[[BinaryIO], None]) -> None:
        self.folder: Path = options.out
        self.suffix = suffix
        self.write = write
        self.every_steps: int = options.checkpoint_every_steps
        self.cadence = Cadence(options.checkpoint_every_seconds or math.inf)
        # The stop signal at the deadline makes us save as well; this is for a step that takes longer than our grace.
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
        """Write aside, make it durable, then rename: whenever the power goes, the name stands for a whole file."""
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
    """Wall time, in seconds since the epoch, at which the supervisor will end this run; infinite without a limit."""
    if moment := environment.get("BACKPROP_DEADLINE"):
        return float(moment)
    if minutes := environment.get("BACKPROP_MAX_MINUTES"):
        return time.time() + 60 * float(minutes)
    return math.inf


def check_settings(path: Path, saved: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Refuse a checkpoint of a run with other settings: its weights would not fit, or its curve would not go on.

    Raises:
        CheckpointError: names the first setting that differs, by its flag.
    """
    for name, value in now.items():
        if saved.get(name) != value:
            flag = "--" + name.replace("_", "-")
            raise CheckpointError(f"{path} was saved with {flag} {saved.get(name)}, but this run has {flag} {value}")
