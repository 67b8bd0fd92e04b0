"""The check of a resumed attempt against the metrics of earlier attempts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import Checkpoint, Queued, Run
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.readers.events import Progress
from backprop_tui.runner import resume_watch
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.resume_watch import ResumeWatch
from backprop_tui.store.run_directory import RunDirectory, read_lines
from tests.domain.runs import queued, running

SAVED = "/w/ckpt.pt"


def loss_at(step: int) -> float:
    return 4.0 - step / 300


class Resumed:
    """A run whose first attempt went to step 1000 and saved 900; the second began at 500 s."""

    def __init__(self, folder: Path, **spec: Any) -> None:
        self.directory = RunDirectory(str(folder))
        first = running(queued(**spec), now=100.0)
        first = first.with_attempt(replace(first.attempt, ended_at=400.0, status=Status.TIMEBOXED))
        again = first.to(Queued(since=400.0, resume_from=SAVED))
        self.run: Run = replace(
            running(again, now=500.0), checkpoints=(Checkpoint(path=SAVED, step=900, saved_at=380.0),)
        )
        self.write(range(0, 1001, 10), time=200.0)
        live = Live(attempt=2, runner_pid=1, script_pid=None, clock=Clock(), time=500.0)
        self.recorder = Recorder(self.directory, live)

    def write(self, steps: range, *, time: float, offset: int | None = 1) -> None:
        """Writes lines of metrics.jsonl; `offset` None: they come from a file."""
        with open(self.directory.file("metrics.jsonl"), "a", encoding="ascii") as file:
            for step in steps:
                metrics = {"loss": loss_at(step), "lr": "NaN"}
                line = {"time": iso(time), "step": step, "epoch": None, "metrics": metrics, "offset": offset}
                file.write(json.dumps(line) + "\n")

    def watch(self) -> ResumeWatch:
        return ResumeWatch(self.directory, self.run, self.recorder)

    def verdict(self) -> ResumeVerdict | None:
        check = self.recorder.live.resume_check
        return None if check is None else check.verdict

    def events(self) -> list[tuple[str, str]]:
        events = read_lines(self.directory.file("events.jsonl"))
        return [(str(event["event"]), str(event["message"])) for event in events]


@pytest.fixture
def resumed(tmp_path: Path) -> Resumed:
    return Resumed(tmp_path, understood_flags=("--resume-from",))


def values(*steps: int) -> list[Progress]:
    return [Progress(offset=1, step=step, metrics={"loss": loss_at(step)}) for step in steps]


def test_a_run_that_continues_is_reported_once(resumed: Resumed) -> None:
    watch = resumed.watch()
    watch.observe(values(910, 920))
    assert resumed.verdict() is None
    watch.observe(values(930))
    watch.observe(values(*range(940, 990, 10)))
    assert resumed.verdict() is ResumeVerdict.CONTINUED
    assert [kind for kind, _ in resumed.events()] == ["resume_checked"]


def test_a_run_that_restarts_is_a_warning(resumed: Resumed) -> None:
    resumed.watch().observe(values(0, 10, 20))
    assert resumed.verdict() is ResumeVerdict.RESTARTED
    ((kind, message),) = resumed.events()
    assert kind == "resume_doubtful"
    assert message.startswith("attempt 2 restarted at step 0 after 900: loss 4, before 1.")


def test_a_script_that_only_got_an_environment_variable_is_advised_to_use_resume_arg(tmp_path: Path) -> None:
    resumed = Resumed(tmp_path)
    resumed.watch().observe(values(0, 10, 20))
    assert "--resume-arg" in resumed.events()[0][1]
    check = resumed.recorder.live.resume_check
    assert check is not None
    assert "--resume-arg" in check.message


def test_a_guardian_that_takes_over_knows_the_values_since_the_resume(resumed: Resumed) -> None:
    resumed.write(range(0, 20, 10), time=501.0)
    resumed.watch().observe(values(20))
    assert resumed.verdict() is ResumeVerdict.RESTARTED
    again = resumed.watch()
    again.observe(values(30, 40, 50))
    assert len(resumed.events()) == 1


def test_without_a_loss_a_score_shows_that_only_the_counter_began_again(resumed: Resumed) -> None:
    path = Path(resumed.directory.file("metrics.jsonl"))
    path.write_text(path.read_text().replace('"loss"', '"mean_reward"'))
    resumed.run = replace(resumed.run, best={"mean_reward": Extreme(0.5, 1000)})
    watch = resumed.watch()
    for step in (0, 10, 20):
        watch.observe([Progress(offset=1, step=step, metrics={"lr": 0.1, "mean_reward": loss_at(900 + step)})])
    check = resumed.recorder.live.resume_check
    assert check is not None
    assert (check.verdict, check.metric) == (ResumeVerdict.RECOUNTED, "mean_reward")
    assert "mean_reward" in check.message


def test_a_line_without_a_step_belongs_to_the_last_step(resumed: Resumed) -> None:
    watch = resumed.watch()
    for step in (910, 920, 930):
        watch.observe([Progress(offset=1, step=step), Progress(offset=1, metrics={"loss": loss_at(step)})])
    check = resumed.recorder.live.resume_check
    assert check is not None
    assert (check.verdict, check.step_after, check.metric) == (ResumeVerdict.CONTINUED, 910, "loss")


def test_an_attempt_without_a_resume_is_not_judged(resumed: Resumed) -> None:
    resumed.run = resumed.run.with_attempt(replace(resumed.run.attempt, resumed_from=None))
    watch = resumed.watch()
    watch.observe(values(0, 10, 20))
    watch.finish()
    assert resumed.events() == []


def test_unreadable_and_invalid_lines_are_no_evidence(resumed: Resumed) -> None:
    Path(resumed.directory.file("metrics.jsonl")).write_text(
        '{"time": 5, "step": "x", "metrics": 7}\n[1]\n'
        '{"time": "2026", "step": 1e400, "epoch": [], "metrics": {"loss": {}}}\n'
    )
    watch = resumed.watch()
    watch.observe(values(0, 10, 20))
    watch.finish()
    assert resumed.verdict() is ResumeVerdict.UNKNOWN
    reason = "nothing to compare with was read before it"
    assert resumed.events() == [("resume_unconfirmed", f"attempt 2: {reason}")]


def test_a_script_that_prints_nothing_after_the_resume_is_not_confirmed(resumed: Resumed) -> None:
    watch = resumed.watch()
    watch.observe([Progress(offset=1, eta_seconds=5.0)])
    assert resumed.verdict() is None
    watch.finish()
    reason = "no step, epoch or loss was read from its output"
    assert resumed.events() == [("resume_unconfirmed", f"attempt 2: {reason}")]


@pytest.mark.parametrize(
    ("status", "saved_step", "exit_code", "kind"),
    [
        (Status.COMPLETED, 1000, 0, "resume_checked"),
        (Status.COMPLETED, 1000, 1, "resume_unconfirmed"),
        (Status.COMPLETED, 900, 0, "resume_unconfirmed"),
        (Status.TIMEBOXED, 1000, 0, "resume_unconfirmed"),
    ],
)
def test_after_the_final_checkpoint_of_a_completed_run_nothing_was_left(
    tmp_path: Path, status: Status, saved_step: int, exit_code: int, kind: str
) -> None:
    resumed = Resumed(tmp_path)
    first, second = resumed.run.attempts
    checkpoints = (Checkpoint(path=SAVED, step=saved_step, saved_at=380.0),)
    resumed.run = replace(
        resumed.run, attempts=(replace(first, status=status), second), step=1000, checkpoints=checkpoints
    )
    resumed.watch().finish(exit_code)
    assert resumed.verdict() is ResumeVerdict.UNKNOWN
    ((event, message),) = resumed.events()
    assert event == kind
    assert (message == "attempt 2: nothing was left to train") == (kind == "resume_checked")


def test_a_training_that_went_on_and_ended_had_something_left(tmp_path: Path) -> None:
    resumed = Resumed(tmp_path)
    first, second = resumed.run.attempts
    resumed.run = replace(resumed.run, attempts=(replace(first, status=Status.COMPLETED), second), step=900)
    watch = resumed.watch()
    watch.observe(values(910))
    watch.finish(0)
    assert "nothing was left" not in resumed.events()[0][1]


def test_a_bar_without_metrics_is_compared_with_the_last_step_of_the_run(tmp_path: Path) -> None:
    resumed = Resumed(tmp_path)
    Path(resumed.directory.file("metrics.jsonl")).unlink()
    resumed.run = replace(resumed.run, step=950)
    resumed.watch().observe([Progress(offset=1, step=step) for step in (901, 902, 903)])
    assert resumed.verdict() is ResumeVerdict.CONTINUED
    resumed.recorder.change(resume_check=None)
    resumed.watch().observe([Progress(offset=1, step=step) for step in range(10)])
    assert resumed.verdict() is ResumeVerdict.RESTARTED


@pytest.fixture
def with_table(tmp_path: Path) -> Resumed:
    """A run that prints no figures, and writes them into a table."""
    resumed = Resumed(tmp_path)
    Path(resumed.directory.file("metrics.jsonl")).unlink()
    resumed.write(range(0, 1001, 10), time=200.0, offset=None)
    return resumed


def test_a_table_shows_that_the_run_continues(with_table: Resumed) -> None:
    watch = with_table.watch()
    watch.observe_files(values(910, 920, 930))
    assert with_table.verdict() is None  # the same values are known: an old table may have been read again
    watch.finish()
    assert with_table.verdict() is ResumeVerdict.UNKNOWN
    with_table.recorder.change(resume_check=None)
    watch = with_table.watch()
    watch.observe_files([replace(value, metrics={"loss": 1.001 * value.metrics["loss"]}) for value in values(910, 920)])
    watch.observe_files(values(1010, 1020))
    assert with_table.verdict() is ResumeVerdict.CONTINUED


def test_a_table_shows_that_the_run_restarted(with_table: Resumed) -> None:
    with_table.watch().observe_files([Progress(offset=0, step=step, metrics={"loss": 3.9}) for step in (0, 10, 20)])
    assert with_table.verdict() is ResumeVerdict.RESTARTED


def test_the_steps_of_the_log_win_over_those_of_a_table(resumed: Resumed) -> None:
    resumed.write(range(0, 1001, 10), time=200.0, offset=None)
    watch = resumed.watch()
    watch.observe_files([Progress(offset=0, step=step, metrics={"loss": 0.9}) for step in (1010, 1020, 1030)])
    assert resumed.verdict() is None
    watch.observe(values(0, 10, 20))
    assert resumed.verdict() is ResumeVerdict.RESTARTED


def test_a_slice_that_restarts_says_at_once_that_no_other_follows(tmp_path: Path) -> None:
    resumed = Resumed(tmp_path, total_seconds=900.0, resume_arg="--load={path}")
    resumed.watch().observe(values(0, 10, 20))
    message = resumed.events()[0][1]
    assert message.endswith("; no further slice follows")
    assert "it was given --resume-arg --load={path}" in message


def test_a_burst_of_lines_is_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Resumed(tmp_path).watch()
    judged: list[int] = []

    def undecided(_before: object, after: list[object], **_: object) -> ResumeCheck:
        judged.append(len(after))
        return ResumeCheck(verdict=ResumeVerdict.UNKNOWN, attempt=2, message="")

    monkeypatch.setattr(resume_watch, "check_resume", undecided)
    watch.observe([Progress(offset=0, metrics={"lr": 0.1})] * 20_000)
    watch.observe([Progress(offset=0, metrics={"lr": 0.1})])
    assert judged == [400, 0]  # the log, and no files
