"""API for training scripts: report steps and checkpoints, ask whether to stop and where to resume.

    from backprop_tui import report

    start = load(report.resume_from())
    for step in range(start, total):
        loss = train_one_step()
        report.step(step, total, loss=loss)
        if report.should_stop():
            report.checkpoint(save(step), step)
            break

Outside a run of backprop-tui, all functions do nothing, and disk errors never end a training. This is a single file
that needs only the standard library and Python 3.8 or newer: if backprop-tui is not installed in the training's
environment, `backprop-tui report DIR` copies it there. In a distributed training, only rank 0 reports.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, SupportsFloat

__all__ = ["checkpoint", "resume_from", "should_stop", "step"]

POLL_SECONDS = 0.1
# Set by torchrun and accelerate, Slurm, Open MPI, other MPIs, and Lightning's launcher.
RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK")


def step(
    step: SupportsFloat,
    total: SupportsFloat | None = None,
    epoch: SupportsFloat | None = None,
    **metrics: SupportsFloat,
) -> None:
    """Reports that a step is done: its number, the total number of steps, the epoch, and metrics by name.

    Metrics may be anything that `float()` accepts, including tensors with one element; NaN and infinities are reported.

    Raises:
        TypeError: a step is not a whole number, or a metric is not a number.
    """
    if not _is_reporting():
        return
    record: dict[str, Any] = {"step": _whole("step", step)}
    if total is not None:
        record["total_steps"] = _whole("total", total)
    if epoch is not None:
        record["epoch"] = _number("epoch", epoch)
    record.update((name, _number(name, value)) for name, value in metrics.items())
    _write(record)


def checkpoint(path: str | os.PathLike[str], step: SupportsFloat | None = None) -> None:
    """Reports a completely written checkpoint, a file or a directory, from which a later attempt may resume."""
    if not _is_reporting():
        return
    record: dict[str, Any] = {"event": "checkpoint_saved", "path": os.path.abspath(os.fspath(path))}
    if step is not None:
        record["step"] = _whole("step", step)
    _write(record)


def should_stop() -> bool:
    """Whether the run should end because it was stopped or its time is up: save, report the checkpoint, and exit.

    Call this after each step. After the first call, the stop is announced here, and the script gets the stop signal
    only if it has not ended within the grace period (`--grace-seconds`, 30). A call takes less than a microsecond and
    is thread-safe. In a distributed training the ranks see the stop at slightly different times: use rank 0's answer
    for all.
    """
    return _STOP.requested()


def resume_from() -> str | None:
    """Returns the path of the checkpoint that this attempt should resume from; None to start from scratch."""
    return os.environ.get("BACKPROP_RESUME_FROM") or None


class _StopPoller:
    """Polls the run's live record; once a stop was requested, the answer stays the same."""

    def __init__(self) -> None:
        self._requested = False
        self._next_poll = 0.0
        self._registered_pid = 0
        self._version = (0, 0)  # modification time and inode of the record that was read last

    def requested(self) -> bool:
        now = time.monotonic()
        if self._requested or now < self._next_poll:
            return self._requested
        self._next_poll = now + POLL_SECONDS
        folder = os.environ.get("BACKPROP_RUN_DIR")
        if folder:
            try:
                self._register(folder)
                self._requested = self._read(os.path.join(folder, "live.json"))
            except (OSError, ValueError, AttributeError):
                return False  # a missing or broken record requests nothing
        return self._requested

    def _register(self, folder: str) -> None:
        """Announces, once per process, that the script polls for a stop."""
        if self._registered_pid == os.getpid():
            return
        with open("/proc/self/stat", "rb") as file:
            start_time = int(file.read().rsplit(b")", 1)[1].split()[19])  # field 22 of proc(5)
        with open(os.path.join(folder, "listeners"), "ab", buffering=0) as file:
            file.write(b"%d %d\n" % (os.getpid(), start_time))
        self._registered_pid = os.getpid()

    def _read(self, path: str) -> bool:
        """The record is replaced atomically about once a second, and only read if it has changed."""
        status = os.stat(path)
        version = (status.st_mtime_ns, status.st_ino)
        if version == self._version:
            return False
        with open(path, "rb") as file:
            live = json.loads(file.read())
        self._version = version
        # At the start, the record may still be that of an earlier attempt.
        return bool(live.get("stopping")) and str(live.get("attempt")) == os.environ.get("BACKPROP_ATTEMPT")


_STOP = _StopPoller()


def _is_reporting() -> bool:
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
        raise TypeError(f"report: {name} is {number}, which is not a whole number")
    return int(number)


def _number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    # A tensor with several elements raises RuntimeError, a number with hundreds of digits OverflowError.
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(f"report: {name} is of type {type(value).__name__}, not a number: {error}") from error


def _write(record: dict[str, Any]) -> None:
    """Writes one line to the run's log with a single write, so that it does not mix with the output of any process.

    print() is not used, because standard output may be buffered, redirected by a launcher, or replaced by a progress
    bar.
    """
    line = json.dumps(record).encode("ascii") + b"\n"
    try:
        log = os.open(os.path.join(os.environ["BACKPROP_RUN_DIR"], "output.log"), os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    try:
        os.write(log, line)
    except OSError:
        return  # a full disk, which the guardian reports
    finally:
        os.close(log)
