"""Leftover processes of a script: how long the run lasts for them, and why they are ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Leftover, ScriptEnd, list_leftovers
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.inspection import Inspected, short_command
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.resources import GpuShare
from backprop_tui.runner.script import Exit
from backprop_tui.runner.stop_sequence import KILL as STAGE_KILL
from backprop_tui.runner.tree import Tree

AUTO, WAIT, KILL = "auto", "wait", "kill"
SETTLE_SECONDS = 1.0  # helpers exit by themselves this soon after the script
IDLE_SECONDS = 10.0
IDLE_WHILE_STOPPING_SECONDS = 5.0
LOOK_SECONDS = 1.0
WORKING_CPU_SHARE = 0.05  # of one core: servers that wait for requests use less
WORKING_GPU_PERCENT = 5.0
_WAITS_FOR_DISK = b"D"
_MOST_RECORDED = 10


@lazy_dataclass(frozen=True, slots=True)
class _Sample:
    time: float
    cpu_seconds: Mapping[Identity, float]
    written_bytes: int


class Leftovers:
    """Decides whether a run lasts longer than its script's own process."""

    def __init__(
        self,
        policy: str,
        tree: Tree,
        recorder: Recorder,
        gpu_share: Callable[[], GpuShare],
        written_bytes: Callable[[], int],
    ) -> None:
        """`policy`: auto, wait or kill. `written_bytes`: the total size of the files that the processes print to."""
        self._policy = policy
        self._tree = tree
        self._recorder = recorder
        self._gpu_share = gpu_share
        self._written_bytes = written_bytes
        self._samples: deque[_Sample] = deque()
        self._due = 0.0
        self._began = 0.0
        self._is_idle = False
        self._named: dict[int, Leftover] = {}
        self.note: str | None = None  # how they ended, for the record

    def begin(self, exit_: Exit, running_seconds: float, now: float) -> bool:
        """Records the end of the script if the run lasts for its leftovers; returns whether it does."""
        self._tree.signal_all(0)  # nobody waits for those that could not be ended
        is_stopping = self._recorder.live.stopping is not None
        is_awaited = self._policy == WAIT or (self._policy == AUTO and (is_stopping or exit_.code == 0))
        if not is_awaited or not exit_.is_known or not self._tree.members():
            return False
        self._began = now
        if self._recorder.live.script_end is None:
            end = ScriptEnd(exit_code=exit_.code, signal=exit_.signal, after_seconds=running_seconds)
            self._recorder.commit(script_end=end)
        return True

    def last(self, now: float) -> bool:
        """Whether the run still lasts for them; checked once a second. `now` is monotonic."""
        if now < self._due:
            return True
        stopping = self._recorder.live.stopping
        if stopping is not None and stopping.stage == STAGE_KILL:
            return False
        is_settling = now - self._began < SETTLE_SECONDS
        self._due = now if is_settling else now + LOOK_SECONDS
        processes = list(self._tree.inspect().values())
        if not processes:
            return False
        if not is_settling:
            self._name(processes)
        if self._policy == WAIT:
            return True
        self._is_idle = not self._have_worked(processes, now)
        return not self._is_idle

    def _name(self, processes: Collection[Inspected]) -> None:
        """Records changes of what is still running; there is one event, unless the run is being stopped."""
        live = self._recorder.live
        if live.script_end is None:
            return
        leftovers = named(processes)
        if leftovers == live.script_end.leftovers:
            return
        end = replace(live.script_end, leftovers=leftovers)
        self._recorder.commit(script_end=end)
        self._named |= {leftover.pid: leftover for leftover in leftovers}
        self._tree.noted = frozenset(self._named)
        if not live.script_end.leftovers and live.stopping is None:
            self._record(end.message or "", leftovers)

    def _have_worked(self, processes: Collection[Inspected], now: float) -> bool:
        """Whether any of them used a CPU or GPU, waited for a disk, or printed in the last ten seconds."""
        if self._recorder.live.pause is not None:
            self._samples.clear()
        cpu_seconds = {process.identity: process.cpu_seconds for process in processes}
        sample = _Sample(now, cpu_seconds, self._written_bytes())
        if any(process.state == _WAITS_FOR_DISK for process in processes) or self._use_gpus(processes):
            self._samples.clear()
        self._samples.append(sample)
        idle_seconds = IDLE_SECONDS if self._recorder.live.stopping is None else IDLE_WHILE_STOPPING_SECONDS
        while len(self._samples) > 1 and now - self._samples[1].time >= idle_seconds:
            self._samples.popleft()
        before = self._samples[0]
        seconds = now - before.time
        if seconds < idle_seconds or sample.written_bytes != before.written_bytes:
            return True
        used = (used - before.cpu_seconds.get(identity, 0.0) for identity, used in cpu_seconds.items())
        return any(cpu >= WORKING_CPU_SHARE * seconds for cpu in used)

    def _use_gpus(self, processes: Collection[Inspected]) -> bool:
        pids = {process.pid for process in processes}
        busy = (gpu for gpu in self._gpu_share().gpus if (gpu.utilization_percent or 0.0) >= WORKING_GPU_PERCENT)
        return any(process.pid in pids for gpu in busy for process in gpu.processes)

    def record_ending(self, exit_: Exit) -> None:
        """Records which processes are ended now and why, except those that are about to exit by themselves."""
        end = time.monotonic() + SETTLE_SECONDS / 2
        while (processes := list(self._tree.inspect().values())) and not self._began and time.monotonic() < end:
            time.sleep(0.01)
        if processes:
            leftovers = named(processes)
            self.note = f"{list_leftovers(leftovers)}, left running, was ended {self._reason(exit_)}"
            self._record(self.note, leftovers)
        elif self._recorder.live.stopping is None:
            self._record_failures()

    def _record_failures(self) -> None:
        """Records which of them failed by themselves, if this process saw their exit status."""
        for pid, status in self._tree.wait_statuses.items():
            if status != 0:
                ended, leftover = Exit.of(status), self._named[pid]
                how = f"exit code {ended.code}" if ended.signal is None else f"signal {ended.signal}"
                self.note = f"{list_leftovers((leftover,))}, left running, ended with {how}"
                self._record(self.note, (leftover,))

    def _reason(self, exit_: Exit) -> str:
        stopping = self._recorder.live.stopping
        if stopping is not None:
            return f"because the run {stopping.reason}" if stopping.by == "timebox" else stopping.reason
        if self._is_idle:
            return f"after {duration(IDLE_SECONDS)} without work (no CPU, no GPU, no output)"
        if exit_.code == 0:
            return "because of --leftovers kill"
        return "because the script failed" if exit_.is_known else "because the script is gone"

    def _record(self, message: str, leftovers: tuple[Leftover, ...]) -> None:
        processes = [{"pid": leftover.pid, "command": leftover.command} for leftover in leftovers]
        self._recorder.record_event("leftovers", message, processes=processes)


def named(processes: Collection[Inspected]) -> tuple[Leftover, ...]:
    """The processes as the record names them, oldest first."""
    oldest_first = sorted(processes, key=lambda process: (process.identity.start_time, process.pid))
    return tuple(Leftover(pid=process.pid, command=short_command(process)) for process in oldest_first[:_MOST_RECORDED])
