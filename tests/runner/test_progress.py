"""Values from a log, as they reach the live record."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.metric_names import Direction
from backprop_tui.domain.objective import merge_best
from backprop_tui.domain.run import Spec
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner import checkpoint_record
from backprop_tui.runner.checkpoint_record import KEPT_CHECKPOINTS, CheckpointRecord
from backprop_tui.runner.outputs.checkpoints import CheckpointFound
from backprop_tui.runner.progress import MAX_METRICS, MAX_NUMBERED, ProgressRecorder
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.run_directory import RunDirectory, read_lines


@dataclass
class FakeStopSequence:
    begun: list[str] = field(default_factory=list)

    def begin(self, *_: object, reason: str, **__: object) -> None:
        self.begun.append(reason)


class Recorded:
    """A progress recorder with a fake stop sequence."""

    def __init__(self, folder: str, on_nan: str = "warn", *, until: str | None = None, **known: Any) -> None:
        self.folder = folder
        live = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=0.0, **known)
        self.recorder = Recorder(RunDirectory(folder), live)
        self.stop_sequence = FakeStopSequence()
        goal = () if until is None else (parse_goal(until),)
        spec = Spec(command=("true",), script=None, cwd=folder, limits=RunLimits(on_nan=on_nan), until=goal)
        self.checkpoints = CheckpointRecord(self.recorder)
        self.progress_recorder = ProgressRecorder(self.recorder, self.stop_sequence, spec, self.checkpoints)  # type: ignore[arg-type]

    def record(self, *values: Progress | CheckpointSaved) -> None:
        self.progress_recorder.record(values, self.folder)

    def messages(self, kind: str) -> list[str]:
        events = read_lines(os.path.join(self.folder, "events.jsonl"))
        return [str(event["message"]) for event in events if event["event"] == kind]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(str(tmp_path))


def progress(step: int | None = None, **metrics: float) -> Progress:
    asked: dict[str, Any] = {"step": step, "epoch": None, "total_steps": None, "metrics": metrics, "offset": 1}
    return Progress(**asked)


def saved(path: str, step: int | None = None, offset: int = 5) -> CheckpointSaved:
    return CheckpointSaved(path=path, step=step, offset=offset)


def test_the_newest_value_of_each_metric_is_kept(recorded: Recorded) -> None:
    recorded.record(progress(1, loss=2.0, accuracy=0.1), progress(2, loss=1.0))
    recorded.record(progress(None, accuracy=0.2))
    assert recorded.recorder.live.step == 2
    assert recorded.recorder.live.metrics == {"loss": 1.0, "accuracy": 0.2}


def test_a_checkpoint_path_is_relative_to_the_cwd_and_gets_the_current_step(recorded: Recorded) -> None:
    recorded.record(progress(7), saved("out/../last.pt"), progress(9))
    (checkpoint,) = recorded.recorder.live.checkpoints
    assert (checkpoint.path, checkpoint.step) == (os.path.join(recorded.folder, "last.pt"), 7)
    assert recorded.recorder.live.step == 9
    assert not checkpoint.written
    assert recorded.messages("checkpoint") == [], "until it is seen on disk"


def test_a_file_that_is_overwritten_is_one_checkpoint(recorded: Recorded) -> None:
    recorded.record(saved("a.pt", 1), saved("b.pt", 2), saved("a.pt", 3))
    assert [checkpoint.step for checkpoint in recorded.recorder.live.checkpoints] == [2, 3]


def test_the_number_of_recorded_checkpoints_is_limited(recorded: Recorded) -> None:
    recorded.record(*(saved(f"{step}.pt", step) for step in range(KEPT_CHECKPOINTS + 5)))
    steps = [checkpoint.step for checkpoint in recorded.recorder.live.checkpoints]
    assert steps == list(range(5, KEPT_CHECKPOINTS + 5))


@pytest.mark.parametrize("until", ["step=300", "val_loss<0.1"])
def test_a_goal_that_only_a_file_reports_is_reached(tmp_path: Path, until: str) -> None:
    recorded = Recorded(str(tmp_path), until=until)
    recorded.progress_recorder.record_from_files([progress(200, val_loss=0.2)])
    assert not recorded.messages("reached")
    recorded.progress_recorder.record_from_files([progress(300, val_loss=0.05)])
    assert len(recorded.messages("reached")) == 1
    assert recorded.recorder.live.reached is not None


def test_values_of_an_earlier_attempt_in_a_file_reach_no_goal(tmp_path: Path) -> None:
    recorded = Recorded(str(tmp_path), until="val_loss<0.1", step=500)
    recorded.progress_recorder.record_from_files(
        [progress(400, val_loss=0.05), progress(500, val_loss=0.05), progress(val_loss=0.05)]
    )
    assert not recorded.messages("reached")
    recorded.progress_recorder.record_from_files([progress(510, val_loss=0.05)])
    assert recorded.messages("reached")


def test_the_number_of_recorded_metrics_is_limited(recorded: Recorded) -> None:
    names = ["".join(letters) for letters in product("abcdefghij", repeat=3)]
    recorded.record(*(progress(step, **{f"loss_{name}": 1.0, "lr": float(step)}) for step, name in enumerate(names)))
    metrics = recorded.recorder.live.metrics
    assert len(metrics) == MAX_METRICS
    assert metrics["lr"] == len(names) - 1


def test_a_counter_in_a_name_does_not_make_ever_new_metrics(recorded: Recorded) -> None:
    for step in range(100):
        recorded.record(progress(step, **{f"iter_{step}_loss": 1.0, f"acc@{step % 5}": 0.5}))
    names = list(recorded.recorder.live.metrics)
    assert sum(name.startswith("iter") for name in names) == MAX_NUMBERED
    assert sum(name.startswith("acc") for name in names) == 5


@pytest.mark.parametrize("until", ["step=300", "epoch=5"])
def test_what_a_file_calls_the_step_never_overrides_a_printed_step(tmp_path: Path, until: str) -> None:
    recorded = Recorded(str(tmp_path), until=until)
    recorded.record(progress(20, loss=0.5))
    recorded.progress_recorder.record_from_files([progress(9986, train_loss=0.4)])
    assert recorded.recorder.live.step == 20
    assert not recorded.messages("reached")
    assert recorded.recorder.live.metrics["train_loss"] == 0.4


def test_a_value_without_a_step_is_not_best_at_the_last_step_of_a_file(recorded: Recorded) -> None:
    recorded.progress_recorder.record_from_files([progress(20, train_loss=0.9)])
    recorded.record(Progress(offset=1, epoch=0.45, metrics={"val_loss": 0.2}))
    best = recorded.recorder.live.best["val_loss"]
    assert (best.value, best.step) == (0.2, None)
    recorded.record(progress(50, val_loss=0.1))
    assert recorded.recorder.live.best["val_loss"].step == 50


def test_a_total_that_a_step_or_an_epoch_exceeds_is_dropped(recorded: Recorded) -> None:
    recorded.record(Progress(offset=1, step=5, total_steps=10, epoch=2.0, total_epochs=3))
    assert (recorded.recorder.live.total_steps, recorded.recorder.live.total_epochs) == (10, 3)
    recorded.record(Progress(offset=2, step=11, epoch=4.0))
    assert (recorded.recorder.live.total_steps, recorded.recorder.live.total_epochs) == (None, None)


def clocked(recorded: Recorded, seconds: float) -> None:
    """Sets how long the attempt has run."""
    recorded.recorder.change(clock=Clock(running_seconds=seconds, mark=time.monotonic()))
    recorded.progress_recorder.update_eta()


def test_the_time_to_the_end_follows_from_the_pace_of_the_steps(recorded: Recorded) -> None:
    for number in range(5):
        recorded.record(Progress(offset=1, step=10 * number, total_steps=100))
        clocked(recorded, 60.0 * number)
    live = recorded.recorder.live
    assert live.eta_seconds == pytest.approx(360, abs=1)
    assert live.step_seconds == pytest.approx(6, rel=0.01)


def test_a_training_that_begins_again_voids_totals_and_estimates(recorded: Recorded) -> None:
    recorded.record(Progress(offset=1, step=30, epoch=3.0, total_steps=30, total_epochs=3, eta_seconds=5.0))
    recorded.record(Progress(offset=2, step=10, epoch=1.0, begins_again=True), Progress(offset=3, step=11))
    recorded.progress_recorder.update_eta()
    live = recorded.recorder.live
    assert (live.step, live.epoch) == (11, 1.0)
    assert (live.total_steps, live.total_epochs, live.epochs_done, live.eta_seconds) == (None, None, None, None)


def test_the_time_to_the_end_follows_from_the_pace_of_the_epochs(recorded: Recorded) -> None:
    for number in range(3):
        recorded.record(Progress(offset=1, epoch=float(number + 1), total_epochs=5, epochs_done=float(number + 1)))
        clocked(recorded, 100.0 * (number + 1))
    assert recorded.recorder.live.eta_seconds == pytest.approx(200, abs=1)


def test_without_a_total_there_is_no_time_to_the_end(recorded: Recorded) -> None:
    for number in range(5):
        recorded.record(Progress(offset=1, step=10 * number))
        clocked(recorded, 60.0 * number)
    assert recorded.recorder.live.eta_seconds is None
    assert recorded.recorder.live.step_seconds == pytest.approx(6, rel=0.01)


@pytest.mark.parametrize(("name", "step"), [("ckpt-7440.pt", 334), ("ckpt-2990.pt", 2990), ("ckpt-3001.pt", 3001)])
def test_a_number_in_a_name_that_is_beyond_the_total_is_no_step(tmp_path: Path, name: str, step: int) -> None:
    recorded = Recorded(str(tmp_path), step=334, total_steps=3000)
    number = int(name[5:9])
    recorded.record(progress(334), saved(f"/x/{name}", number))
    assert recorded.recorder.live.checkpoints[-1].step == step
    recorded.checkpoints.handle(CheckpointFound(path=f"/x/{name}", size_bytes=1, modified_at=9e9, number=number))
    assert recorded.recorder.live.checkpoints[-1].step == step


def test_the_number_of_remembered_announcements_is_limited(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_record, "REMEMBERED_PATHS", 30)
    for number in range(100):
        recorded.record(saved(f"/ckpt/{number}", offset=number + 1))
    assert list(recorded.checkpoints._announced) == [f"/ckpt/{number}" for number in range(70, 100)]


def test_a_loss_that_is_not_finite_is_reported_once(recorded: Recorded) -> None:
    recorded.record(progress(3, train_loss=math.nan), progress(4, train_loss=math.inf))
    assert recorded.messages("nan") == ["train_loss is nan at step 3"]
    assert recorded.stop_sequence.begun == []


def test_other_metrics_may_be_infinite(recorded: Recorded) -> None:
    recorded.record(progress(3, perplexity=math.inf))
    assert recorded.messages("nan") == []


def test_a_run_can_be_stopped_for_a_nan_loss(tmp_path: Path) -> None:
    recorded = Recorded(str(tmp_path), on_nan="stop")
    recorded.record(progress(3, loss=math.nan), progress(4, loss=math.nan))
    assert recorded.stop_sequence.begun == ["loss is nan at step 3"]


def test_the_best_of_each_metric_is_kept(tmp_path: Path) -> None:
    recorded = Recorded(str(tmp_path))
    for step, loss in ((1, 3.0), (2, 1.0), (3, math.nan), (4, 2.0)):
        recorded.record(progress(step, val_loss=loss, lr=0.1))
    assert recorded.recorder.live.best == {"val_loss": Extreme(1.0, 2)}
    assert recorded.recorder.live.metrics["val_loss"] == 2.0


def test_another_guardian_continues_the_smoothing(tmp_path: Path) -> None:
    recorded = Recorded(str(tmp_path))
    for step in range(1, 100):
        recorded.record(progress(step, loss=0.001 if step == 50 else 1.0 / step))
        if step % 10 == 0:
            live = recorded.recorder.live
            recorded.recorder.change(curves=decode(Live, json.loads(json.dumps(encode(live)))).curves)
    (curve,) = recorded.recorder.live.curves.values()
    assert sum(curve.stride for _ in curve.points) + curve.count == 99
    best = curve.best(Direction.MIN)
    assert best is not None
    assert best.value == pytest.approx(1 / 99, rel=0.1)


def test_a_best_loss_does_not_span_output_that_was_not_read(tmp_path: Path) -> None:
    job = Recorded(str(tmp_path))
    for step in (*range(60), *range(90, 100)):
        if step == 90:
            job.progress_recorder.note_skip()
        job.record(Progress(offset=0, step=step, metrics={"loss": 3.0 - step / 50}))
    best = merge_best({}, {}, job.recorder.live.curves, None)["loss"]
    assert best.value < 1.2
