"""The stages of stopping a run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from backprop_tui.domain.live import Clock, Live, Pause
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.processes.inspection import Inspected
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import KILL, NOTIFIED, SIGNALLED, TERM, TERM_SECONDS, StopSequence
from backprop_tui.store.run_directory import RunDirectory, read_lines


class Tree:
    """Records its calls and the stage on disk at that time."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self.done: list[str] = []
        self.stages: list[int | None] = []
        self.stuck: list[int] = []

    def _do(self, action: str) -> None:
        self.done.append(action)
        live = self._directory.read_live()
        self.stages.append(None if live is None or live.stopping is None else live.stopping.stage)

    def signal_group(self, number: int) -> None:
        self._do(signal.Signals(number).name)

    def signal_readers(self, number: int) -> None:
        """There are none."""

    def inspect(self) -> dict[int, Inspected]:
        return {}

    def terminate(self) -> None:
        self._do("SIGTERM to all")

    def thaw(self) -> None:
        self._do("thaw")

    def kill(self) -> list[int]:
        self._do("kill")
        return self.stuck


class StoppedRun:
    """A stop sequence with a fake tree."""

    def __init__(self, folder: str, *, pause: Pause | None = None, listens: bool = False) -> None:
        self.directory = RunDirectory(folder)
        self.tree = Tree(self.directory)
        self.recorder = Recorder(self.directory, live(pause))
        self.listens = listens
        self.stop_sequence = self.another()

    def another(self) -> StopSequence:
        """The sequence of a guardian that takes over."""
        plan = StopPlan(grace_seconds=10.0)
        return StopSequence(plan, self.tree, self.recorder, lambda: self.listens)  # type: ignore[arg-type]

    def begin(self, status: Status = Status.STOPPED) -> None:
        self.stop_sequence.begin(status, by="person", reason="stopped by you", now=100.0)

    def signals(self) -> list[object]:
        """The signals in the events."""
        return [event.get("signal") for event in read_lines(self.directory.file("events.jsonl"))]


def live(pause: Pause | None) -> Live:
    return Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(mark=90.0), time=0.0, pause=pause)


@pytest.fixture
def stopped(tmp_path: Path) -> StoppedRun:
    return StoppedRun(str(tmp_path))


def test_each_stage_is_recorded_and_then_carried_out_when_due(stopped: StoppedRun) -> None:
    stopped.begin()
    stopped.stop_sequence.advance(109.9)
    assert stopped.tree.done == ["SIGINT"]
    stopped.stop_sequence.advance(110.0)
    assert stopped.tree.done[1:] == ["SIGTERM to all", "thaw"]
    stopped.stop_sequence.advance(110.0 + TERM_SECONDS - 0.1)
    stopped.stop_sequence.advance(110.0 + TERM_SECONDS)
    assert stopped.tree.done[3:] == ["kill"]
    assert stopped.tree.stages == [1, TERM, TERM, KILL]
    assert stopped.signals() == ["SIGINT", "SIGTERM", "SIGKILL"]


def test_a_second_stop_changes_nothing(stopped: StoppedRun) -> None:
    stopped.begin(Status.TIMEBOXED)
    stopped.begin(Status.STOPPED)
    assert stopped.tree.done == ["SIGINT"]
    assert stopped.stop_sequence.stopping is not None
    assert stopped.stop_sequence.stopping.status is Status.TIMEBOXED


def test_killing_keeps_the_recorded_status(stopped: StoppedRun) -> None:
    stopped.begin(Status.TIMEBOXED)
    stopped.stop_sequence.kill_now(by="person", reason="killed by you", now=101.0)
    stopped.stop_sequence.kill_now(by="person", reason="killed by you", now=101.0)
    assert stopped.tree.done == ["SIGINT", "kill"]
    assert stopped.stop_sequence.stopping is not None
    assert stopped.stop_sequence.stopping.status is Status.TIMEBOXED


def test_a_person_stopping_a_run_at_its_timebox_prevents_the_next_slice(stopped: StoppedRun) -> None:
    stopped.stop_sequence.begin(Status.TIMEBOXED, by="timebox", reason="at its limit", now=100.0)
    stopped.stop_sequence.begin(Status.STOPPED, by="session", reason="the machine is ending", now=101.0)
    assert not stopped.recorder.live.is_final
    stopped.begin(Status.STOPPED)
    recorded = stopped.directory.read_live()
    assert recorded is not None
    assert recorded.is_final
    assert recorded.stopping is not None
    assert (recorded.stopping.status, recorded.stopping.by) == (Status.TIMEBOXED, "timebox")
    assert stopped.tree.done == ["SIGINT"]


def test_a_kill_by_a_person_prevents_the_next_slice(stopped: StoppedRun) -> None:
    stopped.stop_sequence.begin(Status.TIMEBOXED, by="timebox", reason="at its limit", now=100.0)
    stopped.stop_sequence.kill_now(by="person", reason="killed by you", now=101.0)
    assert stopped.recorder.live.is_final


def test_a_new_guardian_continues_at_the_recorded_stage(stopped: StoppedRun) -> None:
    stopped.begin()
    taken_over = stopped.another()
    taken_over.begin(Status.STOPPED, by="person", reason="again", now=105.0)
    assert stopped.tree.done == ["SIGINT"]
    taken_over.advance(110.0)
    assert stopped.tree.done[1] == "SIGTERM to all"


def test_a_paused_script_is_continued_so_that_it_receives_its_signal(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path), pause=Pause(since=1.0, by="heat", reason="hot"))
    stopped.begin()
    assert stopped.tree.done == ["SIGINT", "thaw"]
    assert stopped.recorder.live.pause is None
    assert stopped.recorder.live.clock.paused_seconds == 10.0


def test_processes_that_cannot_be_killed_are_reported_and_killed_again(stopped: StoppedRun) -> None:
    stopped.tree.stuck = [7, 8]
    stopped.stop_sequence.kill_now(by="person", reason="killed by you", now=100.0)
    assert "7, 8" in (stopped.recorder.live.problem or "")
    stopped.stop_sequence.advance(102.0)
    assert stopped.tree.done == ["kill", "kill"]
    assert stopped.signals() == ["SIGKILL"]


def test_a_listening_script_is_signalled_only_after_the_grace(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path), listens=True)
    stopped.begin()
    stopped.stop_sequence.advance(109.9)
    assert stopped.tree.done == []
    on_disk = stopped.directory.read_live()
    assert on_disk is not None
    assert on_disk.stopping is not None
    assert on_disk.stopping.stage == NOTIFIED
    for now in (110.0, 110.0 + TERM_SECONDS, 110.0 + 2 * TERM_SECONDS):
        stopped.stop_sequence.advance(now - 0.1)
        stopped.stop_sequence.advance(now)
    assert stopped.tree.done == ["SIGINT", "SIGTERM to all", "thaw", "kill"]
    assert stopped.tree.stages == [SIGNALLED, TERM, TERM, KILL]
    assert stopped.signals() == [None, "SIGINT", "SIGTERM", "SIGKILL"]


def test_a_paused_listening_script_is_continued_so_that_it_notices(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path), pause=Pause(since=1.0, by="heat", reason="hot"), listens=True)
    stopped.begin()
    assert stopped.tree.done == ["thaw"]
    assert stopped.recorder.live.pause is None


def test_a_listening_script_is_signalled_if_the_record_cannot_be_written(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path / "gone"), listens=True)
    stopped.begin()
    assert stopped.tree.done == ["SIGINT"]


def test_a_new_guardian_sends_the_signal_that_a_listening_script_still_needs(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path), listens=True)
    stopped.begin()
    stopped.another().advance(110.0)
    assert stopped.tree.done == ["SIGINT"]
