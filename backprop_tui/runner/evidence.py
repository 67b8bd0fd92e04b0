"""What a guardian knows of a dead script: its log's end, its exit, the machine at that moment."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.facts import Facts, FileSystem, GpuHolder
from backprop_tui.domain.causes.log_lines import lines_of
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.kernel_log import memory_kill_of
from backprop_tui.probes.readings_file import read_readings
from backprop_tui.runner.gpu_share import SAMPLE_SECONDS
from backprop_tui.runner.not_finite import non_finite_since
from backprop_tui.store.log_end import read_end
from backprop_tui.store.run_directory import RunDirectory

_FRESH_SECONDS = 10 * SAMPLE_SECONDS
_SOURCE_FOLDERS = ("", "src", "..")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureContext:
    """Where to look; `memory_kill` is the control group's word, `readings_path` the sampler's newest readings."""

    directory: RunDirectory
    run: Run
    live: Live
    readings_path: str
    memory_kill: str | None = None
    memory_kills_counted: bool = False

    def clues(self, *, exit_code: int | None, signal: str | None) -> Clues:
        """Everything the detectors look at."""
        content, number = read_end(self.directory.log, self.live.attempt_log_offset)
        clues = Clues(lines_of(content, number), self._facts(exit_code, signal, self.memory_kill))
        if self.memory_kill is None and clues.signal == "SIGKILL":
            # Only now, since reading the kernel's whole log takes some milliseconds.
            killed = memory_kill_of(self._pids(content), since=self._began_at())
            clues = Clues(clues.lines, self._facts(exit_code, signal, killed))
        return clues

    def _facts(self, exit_code: int | None, signal: str | None, memory_kill: str | None) -> Facts:
        spec = self.run.spec
        gpus = list(self._gpus())
        is_python = os.path.basename(spec.command[0]).startswith("python")
        return Facts(
            exit_code=exit_code,
            signal=signal,
            command=spec.command,
            cwd=spec.cwd,
            written_folders=tuple(dict.fromkeys(os.path.dirname(one.path) for one in self.live.checkpoints[-5:])),
            interpreter=spec.command[0] if is_python else None,
            python_origin=spec.python_origin,
            gpu_indices=tuple(gpu.index for gpu in self.run.attempt.gpus),
            memory_kill=memory_kill,
            memory_kills_counted=self.memory_kills_counted,
            gpu_trouble=next(_troubles(gpus), None),
            gpu_holders=tuple(holder for gpu in gpus for holder in self._holders(gpu)),
            nan_loss=self._nan_loss(),
            file_system=file_system,
            local_module=self._local_module,
        )

    def _gpus(self) -> Iterator[GpuReading]:
        """The run's GPUs as they were measured last, where that is not long ago."""
        mine = {gpu.uuid for gpu in self.run.attempt.gpus}
        readings = read_readings(self.readings_path) if mine else None
        if readings is not None and time.time() - readings.time < _FRESH_SECONDS:
            yield from (gpu for gpu in readings.gpus if gpu.uuid in mine)

    def _holders(self, gpu: GpuReading) -> Iterator[GpuHolder]:
        for one in gpu.processes:
            if one.run != self.run.id:
                owner = f" ({one.owner})" if one.owner else ""
                who = f"run {self._name_of(one.run)}" if one.run else f"pid {one.pid}{owner}"
                yield GpuHolder(gpu_index=gpu.index, who=who, memory_bytes=one.memory_bytes)

    def _name_of(self, run_id: str) -> str:
        """A run's name, or its id where its record cannot be read."""
        try:
            folder = os.path.join(os.path.dirname(self.directory.path), run_id)
            return RunDirectory(folder).read().name or run_id
        except BackpropError:
            return run_id

    def _nan_loss(self) -> str | None:
        """The newest loss where it is no number, and since which step, as far as the end of the metrics tells."""
        for name, value in self.live.metrics.items():
            if "loss" in name.lower() and not math.isfinite(value):
                since = non_finite_since(self.directory.file("metrics.jsonl"), name)
                if since is not None and since != self.live.step:
                    return f"{name} is {value} since step {since}"
                return f"{name} is {value}" + ("" if self.live.step is None else f" at step {self.live.step}")
        return None

    def _pids(self, content: bytes) -> set[int]:
        """The script's, and those that its launcher or loader names as dead."""
        named = {int(pid) for pid in re.findall(rb"(?:\bpid:? |: line \d+:\s+)(\d{1,9})\b", content)}
        return named if self.live.script_pid is None else {self.live.script_pid, *named}

    def _began_at(self) -> float:
        clock = self.live.clock
        return clock.mark - clock.running_seconds - clock.paused_seconds

    def _local_module(self, name: str) -> str | None:
        """A directory near the script that holds a module of this name, and that Python does not search."""
        script = self.run.spec.script
        bases = [self.run.spec.cwd] if script is None else [self.run.spec.cwd, os.path.dirname(script)]
        searched = None if script is None else os.path.dirname(os.path.realpath(script))
        for base in bases:
            for inside in _SOURCE_FOLDERS:
                folder = os.path.normpath(os.path.join(base, inside))
                there = os.path.join(folder, name)
                if os.path.realpath(folder) != searched and (os.path.isfile(f"{there}.py") or _is_package(there)):
                    return folder
        return None


def _is_package(path: str) -> bool:
    try:
        return any(name.endswith(".py") for name in os.listdir(path))
    except OSError:
        return False


def _troubles(gpus: list[GpuReading]) -> Iterator[str]:
    for gpu in gpus:
        if gpu.health is GpuHealth.LOST:
            yield f"GPU {gpu.index} lost" + (f": {gpu.problem}" if gpu.problem else "")


def file_system(path: str) -> FileSystem | None:
    """Where a path lies, or would lie; None where that cannot be asked."""
    while not os.path.exists(path) and path not in ("/", ""):
        path = os.path.dirname(path)
    try:
        stat = os.statvfs(path or "/")
        device = os.stat(path or "/").st_dev
        mount = os.path.realpath(path or "/")
        while mount != "/" and os.stat(os.path.dirname(mount)).st_dev == device:
            mount = os.path.dirname(mount)
    except OSError:
        return None
    return FileSystem(
        mount=mount,
        free_bytes=stat.f_bavail * stat.f_frsize,
        free_files=stat.f_favail if stat.f_files else None,
    )
