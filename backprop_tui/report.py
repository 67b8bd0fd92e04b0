"""What a training script can say to backprop-tui and ask of it: steps, checkpoints, whether to stop, where to resume.

    from backprop_tui import report

    start = load(report.resume_from())
    for step in range(start, total):
        loss = train_one_step()
        report.step(step, total, loss=loss)
        if report.should_stop():
            report.checkpoint(save(step), step)
            break

Outside a run of backprop-tui all of it does nothing, and no failure of a disk in here ends a training. One file, the
standard library alone, Python 3.8 or newer: where backprop-tui is not installed beside the training, a copy of it under
any name does the same. Of the ranks of a distributed training only the first one reports.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, SupportsFloat

__all__ = ["checkpoint", "resume_from", "should_stop", "step"]

LOOK_AGAIN_SECONDS = 0.1
# Of torchrun and accelerate, of Slurm, of Open MPI, of others' MPI, of Lightning's own launcher.
RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK")


def step(
    step: SupportsFloat,
    total: SupportsFloat | None = None,
    epoch: SupportsFloat | None = None,
    **metrics: SupportsFloat,
) -> None:
    """Reports that a step is done: its number, the number of all steps, the epoch, and metrics by their names.

    Metrics are whatever `float()` takes, tensors of one element too; NaN and infinities are news, and reported.

    Raises:
        TypeError: a step is no whole number, or a metric is no number.
    """
    if not _reports():
        return
    figures: dict[str, Any] = {"step": _whole("step", step)}
    if total is not None:
        figures["total_steps"] = _whole("total", total)
    if epoch is not None:
        figures["epoch"] = _number("epoch", epoch)
    figures.update((name, _number(name, value)) for name, value in metrics.items())
    _write(figures)


def checkpoint(path: str | os.PathLike[str], step: SupportsFloat | None = None) -> None:
    """Reports a checkpoint, file or directory, that is completely written: from it a later attempt may go on."""
    if not _reports():
        return
    saved: dict[str, Any] = {"event": "checkpoint_saved", "path": os.path.abspath(os.fspath(path))}
    if step is not None:
        saved["step"] = _whole("step", step)
    _write(saved)


def should_stop() -> bool:
    """Whether the run is to end: somebody stopped it, or its time is up. Then save, report the checkpoint, and end.

    From the first call on the script is told in this way, and gets the stop signal only when the grace
    (`--grace-seconds`, 30) is over and it has not ended: so ask at each step. Costs less than a microsecond; any thread
    may ask. Ranks of a distributed training learn it moments apart: let the first one's answer count for all.
    """
    return _STOP.asked()


def resume_from() -> str | None:
    """The path of the checkpoint that this attempt is to go on from; None for a start from nothing."""
    return os.environ.get("BACKPROP_RESUME_FROM") or None


class _Stop:
    """Looks into the run's live record now and then; once it asked to stop, it stays so."""

    def __init__(self) -> None:
        self._answer = False
        self._look_at = 0.0
        self._listening_pid = 0
        self._seen = (0, 0)

    def asked(self) -> bool:
        now = time.monotonic()
        if self._answer or now < self._look_at:
            return self._answer
        self._look_at = now + LOOK_AGAIN_SECONDS
        folder = os.environ.get("BACKPROP_RUN_DIR")
        if folder:
            try:
                self._listen(folder)
                self._answer = self._read(os.path.join(folder, "live.json"))
            except (OSError, ValueError, AttributeError):
                return False  # a record that is gone or broken asks for nothing
        return self._answer

    def _listen(self, folder: str) -> None:
        """Says once, in each process, that somebody asks here."""
        if self._listening_pid == os.getpid():
            return
        with open("/proc/self/stat", "rb") as file:
            start_time = int(file.read().rsplit(b")", 1)[1].split()[19])  # field 22 of proc(5)
        with open(os.path.join(folder, "listeners"), "ab", buffering=0) as file:
            file.write(b"%d %d\n" % (os.getpid(), start_time))
        self._listening_pid = os.getpid()

    def _read(self, path: str) -> bool:
        """The record is replaced at once a second at most, and read only when it was."""
        status = os.stat(path)
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return False
        with open(path, "rb") as file:
            live = json.loads(file.read())
        self._seen = seen
        # One that an earlier attempt left behind stands there for a moment at the start.
        return bool(live.get("stopping")) and str(live.get("attempt")) == os.environ.get("BACKPROP_ATTEMPT")


_STOP = _Stop()


def _reports() -> bool:
    return bool(os.environ.get("BACKPROP_RUN_DIR")) and _rank() == 0


def _rank() -> int:
    for name in RANK_VARIABLES:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0


def _whole(name: str, value: SupportsFloat) -> int:
    number = _number(name, value)
    if not number.is_integer():
        raise TypeError(f"report: {name} is {number}, which is no whole number")
    return int(number)


def _number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    # A tensor of several elements raises a RuntimeError, a number of hundreds of digits an OverflowError.
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(f"report: {name} is of type {type(value).__name__} and no number: {error}") from error


def _write(figures: dict[str, Any]) -> None:
    """One line into the run's log, in one write: so it mixes with nothing that prints, in whatever process.

    Not by print(): standard output may be buffered, redirected by a launcher, or replaced by a progress bar.
    """
    line = json.dumps(figures).encode("ascii") + b"\n"
    try:
        log = os.open(os.path.join(os.environ["BACKPROP_RUN_DIR"], "output.log"), os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    try:
        os.write(log, line)
    except OSError:
        return  # a full disk; the guardian says so
    finally:
        os.close(log)
