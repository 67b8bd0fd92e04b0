"""A stop that waits for the checkpoint that is due."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.checkpoint_pace import CheckpointPace
from backprop_tui.domain.live import Pause, PostponedStop
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.status import Status
from backprop_tui.runner.stop_sequence import CheckpointWait
from tests.runner.test_stop_sequence import StoppedRun

GRACE = 10.0
NOW = 100.0  # the clock's mark is 90: 10 s into the attempt
DUE_SOON = CheckpointPace(last_at=5.0, intervals=(8.0, 8.0))
DUE_LATE = CheckpointPace(last_at=5.0, intervals=(800.0,))


class Waiting:
    """A deferred stop with a fake tree."""

    def __init__(self, folder: str, pace: CheckpointPace | None) -> None:
        self.stopped = StoppedRun(folder)
        self.recorder = self.stopped.recorder
        self.recorder.change(pace=pace)
        self.is_saving = self.listens = False
        self.checkpoint_wait = CheckpointWait(
            self.recorder,
            self.stopped.stop_sequence,
            grace_seconds=GRACE,
            is_saving=lambda: self.is_saving,
            listens=lambda: self.listens,
        )

    def stop(self, *, by: str = "person", now: float = NOW, after_checkpoint: bool = False) -> None:
        status = Status.STOPPED if by == "person" else Status.TIMEBOXED
        self.checkpoint_wait.stop(status, by=by, reason=f"by {by}", now=now, after_checkpoint=after_checkpoint)

    def saves(self, *, sound: bool | None) -> None:
        saved = Checkpoint(path="/ckpt", step=1, saved_at=time.time(), sound=sound)
        self.recorder.change(checkpoints=(saved,))

    @property
    def signalled(self) -> bool:
        return bool(self.stopped.tree.done)

    @property
    def postponed(self) -> PostponedStop:
        postponed = self.recorder.live.postponed
        assert postponed is not None
        return postponed


@pytest.fixture
def soon(tmp_path: Path) -> Waiting:
    return Waiting(str(tmp_path), DUE_SOON)


@pytest.fixture
def late(tmp_path: Path) -> Waiting:
    return Waiting(str(tmp_path), DUE_LATE)


def test_without_a_due_checkpoint_the_signal_is_sent_at_once(late: Waiting) -> None:
    late.stop()
    assert late.stopped.tree.done == ["SIGINT"]


def test_the_intent_is_on_disk_and_no_signal_is_sent_before_the_save(soon: Waiting) -> None:
    soon.stop()
    live = soon.stopped.directory.read_live()
    assert live is not None
    assert live.postponed == soon.postponed
    events = Path(soon.stopped.directory.events_path).read_text(encoding="utf-8").splitlines()
    message = json.loads(events[-1])["message"]
    assert message.startswith("postponed until the next checkpoint (")
    assert message.endswith(" at most): by person")
    soon.checkpoint_wait.check(NOW + 1)
    assert not soon.signalled
    soon.saves(sound=None)
    soon.checkpoint_wait.check(NOW + 1)
    assert not soon.signalled, "a script may say so before it has written all of it"
    soon.saves(sound=True)
    soon.checkpoint_wait.check(NOW + 1)
    assert soon.stopped.tree.done == ["SIGINT"]
    assert soon.recorder.live.postponed is None


def test_it_never_waits_longer_than_the_grace(soon: Waiting) -> None:
    soon.stop()
    soon.checkpoint_wait.check(NOW + GRACE)
    assert soon.signalled


def test_a_checkpoint_that_is_being_written_is_waited_for(late: Waiting) -> None:
    late.is_saving = True
    late.stop(by="timebox")
    assert not late.signalled
    late.saves(sound=True)
    late.checkpoint_wait.check(NOW + 1)
    assert late.signalled


def test_a_file_that_turned_out_to_be_no_checkpoint_is_not_waited_for(late: Waiting) -> None:
    late.is_saving = True
    late.stop(by="timebox")
    late.is_saving = False
    late.checkpoint_wait.check(NOW + 1)
    assert late.signalled


def test_a_script_that_saves_when_asked_is_not_waited_for(soon: Waiting) -> None:
    soon.listens = True
    soon.stop()
    assert soon.recorder.live.stopping is not None


def test_a_paused_run_saves_nothing(soon: Waiting) -> None:
    soon.recorder.change(pause=Pause(since=1.0, by="person", reason="paused by you"))
    soon.stop(after_checkpoint=True)
    assert soon.signalled


def test_a_stop_after_the_checkpoint_waits_beyond_the_grace(late: Waiting) -> None:
    late.stop(after_checkpoint=True)
    late.checkpoint_wait.check(NOW + 5 * GRACE)
    assert not late.signalled


def test_a_second_stop_never_extends_the_wait_and_a_plain_stop_shortens_it(late: Waiting) -> None:
    late.stop(after_checkpoint=True)
    first = late.postponed
    late.stop(after_checkpoint=True, now=NOW + 50)
    assert late.postponed == first
    late.stop(now=NOW + 60)
    assert late.postponed == replace(first, deadline=NOW + 60 + GRACE)
    late.stop(now=NOW + 65)
    assert late.postponed.deadline == NOW + 60 + GRACE


def test_a_person_takes_precedence_over_a_timebox_so_no_slice_follows(soon: Waiting) -> None:
    soon.stop(by="timebox")
    soon.stop()
    soon.checkpoint_wait.check(NOW + GRACE)
    stopping = soon.recorder.live.stopping
    assert stopping is not None
    assert (stopping.status, stopping.by) == (Status.STOPPED, "person")


def test_a_goal_reached_during_the_wait_becomes_the_reason(soon: Waiting) -> None:
    soon.stop(by="timebox")
    first = soon.postponed
    soon.stop(by="until", now=NOW + 1)
    soon.stop(by="timebox", now=NOW + 1)
    assert (soon.postponed.by, soon.postponed.reason, soon.postponed.deadline) == ("until", "by until", first.deadline)
    soon.stop(now=NOW + 2)
    assert soon.postponed.status is Status.STOPPED


def test_a_person_stopping_a_slice_that_is_ending_prevents_the_next(late: Waiting) -> None:
    late.stop(by="timebox")
    late.stop(by="until")
    before = late.recorder.live
    late.stop(after_checkpoint=True)
    assert (before.is_final, late.recorder.live.is_final) == (False, True)
    assert late.stopped.tree.done == ["SIGINT"]


def test_a_kill_does_not_wait(soon: Waiting) -> None:
    soon.stop(after_checkpoint=True)
    soon.stopped.stop_sequence.kill_now(by="person", reason="stopped by you", now=NOW + 1)
    assert soon.stopped.tree.done == ["kill"]
    assert soon.recorder.live.postponed is None
