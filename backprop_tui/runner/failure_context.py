"""What a guardian knows of a dead script: its exit, the end of its log, the kernel's log, the state of the machine."""

from __future__ import annotations

import math
import os
import re
import shlex
import time
from collections.abc import Container, Iterator
from itertools import pairwise

from backprop_tui.domain.causes.clues import Clues, Facts, FileSystem, GpuHolder
from backprop_tui.domain.causes.shared_machine import worker_death
from backprop_tui.domain.causes.tracebacks import split_log_lines
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, Readings
from backprop_tui.probes.readings import read_readings
from backprop_tui.processes.descriptors import open_descriptors
from backprop_tui.processes.regular_files import read_regular
from backprop_tui.processes.users import user_name
from backprop_tui.runner.resources import SAMPLE_SECONDS
from backprop_tui.store.python_environments import install_command, interpreter_of
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail, read_end, size_of

KERNEL_LOG = "/dev/kmsg"
_KILLED = re.compile(rb"^[^,]*,\d+,(\d+),[^;]*;(.*[Oo]ut of memory.*: Killed process (\d+) .*)", re.MULTILINE)
_MAX_RECORDS = 100_000
_TAIL_BYTES = 1 << 20
_FRESH_SECONDS = 10 * SAMPLE_SECONDS
_SOURCE_FOLDERS = ("", "src", "..")


def find_oom_kill(pids: Container[int], *, since: float, path: str = KERNEL_LOG) -> str | None:
    """The kernel's message about killing one of these processes; None if there is none, or the log is not readable.

    The ids are those of the initial PID namespace; inside a container they differ, and nothing is found. `since` is on
    CLOCK_MONOTONIC, which the kernel's timestamps match within milliseconds. The log returns one record per read, see
    Documentation/ABI/testing/dev-kmsg.
    """
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _search(log, pids, since)
    finally:
        os.close(log)


def _search(log: int, pids: Container[int], since: float) -> str | None:
    for _ in range(_MAX_RECORDS):
        try:
            record = os.read(log, 8192)
        except BrokenPipeError:
            continue  # records were overwritten; the next read continues after them
        except OSError:
            return None  # EAGAIN: end of the log
        if not record:
            return None
        for stamp, message, pid in _KILLED.findall(record):
            if int(stamp) / 1e6 >= since - 1.0 and int(pid) in pids:
                return str(message.decode("utf-8", "replace"))[:300]
    return None


def non_finite_since(path: str, name: str) -> int | None:
    """The step of the first value after the last finite one; None if it has no step or is over a megabyte back."""
    try:
        lines = JsonTail(path, last_bytes=_TAIL_BYTES).read()
    except OSError:
        return None
    since: int | None = None
    for line in reversed(lines):
        metrics, step = line.get("metrics"), line.get("step")
        value = metrics.get(name) if isinstance(metrics, dict) else None
        if isinstance(value, int | float) and math.isfinite(value):
            return since
        if value is not None:  # values that are not finite are stored as text
            since = step if isinstance(step, int) else None
    return None if size_of(path) > _TAIL_BYTES else since


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class FailureContext:
    """Where to look for the cause of a failure; `memory_kill` is the evidence of the control group's kill counter."""

    directory: RunDirectory
    run: Run
    live: Live
    readings_path: str
    memory_kill: str | None = None
    memory_kills_counted: bool = False  # whether there is such a counter
    disk_full: str | None = None  # the system's message, if there was no room for the run's files when it ended

    def clues(self, *, exit_code: int | None, signal: str | None) -> Clues:
        content, first_line_number = read_end(self.directory.log, self.live.attempt_log_offset)
        own = self.live.own_log
        if own is not None and own.problem is None and own.attempt == self.live.attempt:
            # What a shell prints about a killed process comes after what the process printed.
            own_content, _ = read_end(own.path, own.start)
            content, first_line_number = own_content + b"\n" + content, None
        clues = Clues(split_log_lines(content, first_line_number), self._facts(exit_code, signal, self.memory_kill))
        if self.memory_kill is None and (clues.signal == "SIGKILL" or worker_death(clues) is not None):
            # Done only now, because reading the whole kernel log takes some milliseconds.
            memory_kill = find_oom_kill(self._pids(content), since=self._started_at())
            clues = Clues(clues.lines, self._facts(exit_code, signal, memory_kill))
        return clues

    def _facts(self, exit_code: int | None, signal: str | None, memory_kill: str | None) -> Facts:
        spec = self.run.spec
        readings = read_readings(self.readings_path)
        if readings is not None and time.time() - readings.time >= _FRESH_SECONDS:
            readings = None
        gpus = [] if readings is None else list(self._gpus_of_run(readings))
        environment = self._environment()
        newest_checkpoints = self.live.checkpoints[-5:]
        return Facts(
            exit_code=exit_code,
            signal=signal,
            command=spec.command,
            cwd=spec.cwd,
            written_folders=tuple(dict.fromkeys(os.path.dirname(saved.path) for saved in newest_checkpoints)),
            interpreter=interpreter_of(spec.command, spec.cwd, environment),
            python_origin=spec.python_origin,
            gpu_indices=tuple(gpu.index for gpu in self.run.attempt.gpus),
            memory_kill=memory_kill,
            memory_kills_counted=self.memory_kills_counted,
            disk_full=self.disk_full,
            gpu_trouble=next(_gpu_problems(gpus), None),
            gpu_holders=tuple(holder for gpu in gpus for holder in self._holders(gpu)),
            nan_loss=self._nan_loss(),
            machine_gpus=self._machine_gpus(readings),
            hidden_gpus=self._hidden_gpus(),
            open_files=next((soft for name, soft, _ in spec.process.rlimits if name == "RLIMIT_NOFILE"), None),
            file_system=file_system,
            local_module=self._local_module,
            install=lambda package: install_command(
                package, spec.command, script=spec.script, cwd=spec.cwd, environment=environment
            ),
            as_module=self._as_module,
            port_holder=self._port_holder,
            first_line=lambda path: first_line(os.path.join(spec.cwd, path)),
        )

    def _environment(self) -> dict[str, str]:
        try:
            return self.directory.read_environment()
        except BackpropError:
            return {}

    def _gpus_of_run(self, readings: Readings) -> Iterator[GpuReading]:
        uuids = {gpu.uuid for gpu in self.run.attempt.gpus}
        yield from (gpu for gpu in readings.gpus if gpu.uuid in uuids)

    def _machine_gpus(self, readings: Readings | None) -> int | None:
        """How many GPUs the machine has; None if they are not probed, or the probe fails."""
        is_probed = readings is not None and readings.probe_problem is None and self.run.spec.gpu_probe != "none"
        return len(readings.gpus) if readings is not None and is_probed else None

    def _hidden_gpus(self) -> str | None:
        if self.run.spec.gpus == 0:
            return "--gpus 0 hides them"
        is_empty = self.run.spec.visible_gpus == () or ("CUDA_VISIBLE_DEVICES", "") in self.run.spec.env
        return "CUDA_VISIBLE_DEVICES is empty" if is_empty else None

    def _port_holder(self, port: int) -> str | None:
        """The run, or else the process or the user, that listens on a TCP port of this machine; None if unknown."""
        for user, socket in _listeners(port):
            for pid in _holders_of_socket(socket):
                run_id = _run_of_process(pid)
                if run_id == self.run.id:
                    return f"a process that it left running (pid {pid})"
                return f"pid {pid}" if run_id is None else f"run {self._name_of(run_id)}"
            return f"a process of {user_name(user)}"
        return None

    def _holders(self, gpu: GpuReading) -> Iterator[GpuHolder]:
        for process in gpu.processes:
            if process.run != self.run.id:
                owner = f" ({process.owner})" if process.owner else ""
                holder = f"run {self._name_of(process.run)}" if process.run else f"pid {process.pid}{owner}"
                yield GpuHolder(gpu_index=gpu.index, who=holder, memory_bytes=process.memory_bytes)

    def _name_of(self, run_id: str) -> str:
        try:
            folder = os.path.join(os.path.dirname(self.directory.path), run_id)
            return RunDirectory(folder).read().label or run_id
        except BackpropError:
            return run_id

    def _nan_loss(self) -> str | None:
        """The newest loss if it is not finite, and since which step, as far as the end of metrics.jsonl shows."""
        for name, value in self.live.metrics.items():
            if "loss" in name.lower() and not math.isfinite(value):
                since = non_finite_since(self.directory.metrics_path, name)
                if since is not None and since != self.live.step:
                    return f"{name} is {value} since step {since}"
                return f"{name} is {value}" + ("" if self.live.step is None else f" at step {self.live.step}")
        return None

    def _pids(self, log: bytes) -> set[int]:
        """The script's pid, and those that a launcher or data loader reports as dead in the log."""
        reported = {int(pid) for pid in re.findall(rb"(?:\bpid(?:\(s\))?:? |: line \d+:\s+)(\d{1,9})\b", log)}
        return reported if self.live.script_pid is None else {self.live.script_pid, *reported}

    def _started_at(self) -> float:
        clock = self.live.clock  # monotonic
        return clock.mark - clock.running_seconds - clock.paused_seconds

    def _as_module(self, file: str, levels: int) -> str | None:
        """The command that runs a file of the command line with `python -m`; it is at least `levels` packages deep."""
        spec = self.run.spec
        pairs = pairwise(("", *spec.command))
        words = (f"{word.replace('.', os.sep)}.py" if before == "-m" else word for before, word in pairs)
        paths = [os.path.normpath(os.path.join(spec.cwd, word)) for word in words]
        path = os.path.normpath(os.path.join(spec.cwd, file))
        folder, name = os.path.split(os.path.splitext(path)[0])
        names = [] if name == "__main__" else [name]
        while folder != "/" and (len(names) <= levels or os.path.exists(os.path.join(folder, "__init__.py"))):
            folder, name = os.path.split(folder)
            names.insert(0, name)
        if path not in paths or len(names) <= levels or not all(map(str.isidentifier, names)):
            return None
        index = paths.index(path)
        directory = [] if folder == spec.cwd else ["--cwd", folder]
        before = spec.command[:index] if spec.command[index - 1] == "-m" else (*spec.command[:index], "-m")
        command = [*before, ".".join(names), *spec.command[index + 1 :]]
        return shlex.join(["backprop-tui", "run", *directory, "--", *command])

    def _local_module(self, name: str) -> str | None:
        """A directory near the script that contains a module of this name but is not on Python's search path."""
        script = self.run.spec.script
        bases = [self.run.spec.cwd] if script is None else [self.run.spec.cwd, os.path.dirname(script)]
        searched = None if script is None else os.path.dirname(os.path.realpath(script))
        for base in bases:
            for source_folder in _SOURCE_FOLDERS:
                folder = os.path.normpath(os.path.join(base, source_folder))
                module = os.path.join(folder, name)
                if os.path.realpath(folder) != searched and (os.path.isfile(f"{module}.py") or _is_package(module)):
                    return folder
        return None


_LISTENING = "0A"  # state, field 4 of /proc/net/tcp; 2 is the local address, 8 the user and 10 the inode, see proc(5)
_MAX_FIRST_LINE = 256


def _listeners(port: int) -> Iterator[tuple[int, str]]:
    """User and inode of the sockets that listen on a port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file]
        except OSError:
            continue
        for row in rows[1:]:
            if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                yield int(row[7]), row[9]


def _holders_of_socket(inode: str) -> Iterator[int]:
    """The processes of this user that hold a socket."""
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    return (pid for pid in pids if any(target == f"socket:[{inode}]" for target, _ in open_descriptors(pid)))


def _run_of_process(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            match = re.search(rb"(?:^|\0)BACKPROP_RUN_ID=([^\0]*)", file.read())
    except OSError:
        return None
    return None if match is None else os.fsdecode(match[1])


def first_line(path: str) -> bytes | None:
    """The first line of a file without its line feed, at most 256 bytes; None if it cannot be read."""
    try:
        return read_regular(path, _MAX_FIRST_LINE, cut=True).partition(b"\n")[0]
    except OSError:
        return None


def _is_package(path: str) -> bool:
    try:
        return any(name.endswith(".py") for name in os.listdir(path))
    except OSError:
        return False


def _gpu_problems(gpus: list[GpuReading]) -> Iterator[str]:
    for gpu in gpus:
        if gpu.health is GpuHealth.LOST:
            yield f"GPU {gpu.index} lost" + (f": {gpu.problem}" if gpu.problem else "")


def file_system(path: str) -> FileSystem | None:
    """The file system that a path is on, or would be if it existed; None if that cannot be determined."""
    while not os.path.exists(path) and path not in ("/", ""):
        path = os.path.dirname(path)
    try:
        status = os.statvfs(path or "/")
        device = os.stat(path or "/").st_dev
        mount = os.path.realpath(path or "/")
        while mount != "/" and os.stat(os.path.dirname(mount)).st_dev == device:
            mount = os.path.dirname(mount)
    except OSError:
        return None
    return FileSystem(
        mount=mount,
        free_bytes=status.f_bavail * status.f_frsize,
        free_files=status.f_favail if status.f_files else None,
    )
