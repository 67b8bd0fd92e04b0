"""Records survive a round trip through JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.checkpoint_pace import CheckpointPace, DiskUse
from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.lifecycle import Outcome, finish_attempt
from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.live import Clock, Live, Pause, PostponedStop, Stopping, displayed_status
from backprop_tui.domain.objective import BestTracker, parse_objective
from backprop_tui.domain.requests import (
    ContinueRequest,
    EditRequest,
    NoticeRequest,
    PauseRequest,
    Request,
    StopRequest,
    TimeboxRequest,
)
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import (
    Cause,
    Checkpoint,
    Code,
    Dependency,
    Ended,
    Git,
    Gpu,
    Peak,
    Process,
    Queued,
    Run,
    Running,
    Starting,
    StopPlan,
)
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.domain.thresholds import Thresholds
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.fields import WrongField
from backprop_tui.store.records import (
    REQUEST_TAGS,
    STATE_TAGS,
    decode_request,
    decode_run,
    encode_request,
    encode_run,
    public,
    with_objective,
)
from tests.domain.runs import queued, running

texts = st.text(st.characters(exclude_categories=()), max_size=20)
metrics = st.dictionaries(texts, st.floats(allow_nan=False), max_size=4)
CHECKPOINT = Checkpoint(
    path="/c\udcff.pt", step=5, saved_at=1000.25, size_bytes=9, sound=True, written=False, candidates=("/c", "/d")
)

RESUME_CHECK = ResumeCheck(
    verdict=ResumeVerdict.JUMPED,
    attempt=2,
    message="m",
    metric="loss",
    step_before=5,
    step_after=6,
    epoch_before=1.5,
    epoch_after=2.0,
    loss_before=0.5,
    loss_after=2.5,
)


def through_json(value: object) -> dict[str, object]:
    decoded = json.loads(json.dumps(value, allow_nan=False))
    assert isinstance(decoded, dict)
    return decoded


CAUSE = Cause(kind="cuda_oom", evidence="e", advice="a", summary="s", line=7, retryable=True)


def full_run() -> Run:
    """A run with a value in every field."""
    run = queued(
        group="g",
        tags=("a", "b"),
        note="n",
        baseline=True,
        priority=3,
        git=Git(commit="abc", dirty=True),
        checkpoints=(CHECKPOINT,),
        peak=Peak(ram_bytes=1, vram_bytes=2, temperature_celsius=3.5),
        after=(Dependency(run="x", any_end=True),),
        stop=StopPlan(stop_signal="SIGTERM", warn_signal="SIGUSR1", warn_seconds=60.0),
        process=Process(umask=0o77, nice=5, rlimits=(("RLIMIT_NOFILE", 10, 20),)),
        limits=RunLimits(gpu_memory_limit=MemoryLimit(fraction=0.5), max_parallel=4),
        visible_gpus=("0", "1"),
        until=(parse_goal("step=10000"), parse_goal("loss<0.1")),
        found_resume_arg="--resume {path}",
        resume_channel="itself",
        refused_options=("--ckpt_path",),
        resume_check=RESUME_CHECK,
        env=(("SEED", "1"), ("HF_TOKEN", None)),
        code=Code(path="/w/train.py", sha256="ab"),
        best={"loss": Extreme(0.25, 7), "acc": Extreme(0.5, None)},
        objective=parse_objective("acc"),
    )
    run = running(run)
    attempt = replace(run.attempt, gpus=(Gpu(index=1, uuid="GPU-1"),), variables={"CUDA_VISIBLE_DEVICES": "GPU-1"})
    attempt = replace(attempt, saved_step=5, saved_new=True, refused_option="--ckpt_path")
    attempt = replace(attempt, code_changes="train.py changed since it was queued", log_offset=4096, cause=CAUSE)
    return run.with_attempt(attempt)


@given(name=texts, note=texts, values=metrics)
def test_a_run_survives_a_round_trip(name: str, note: str, values: dict[str, float]) -> None:
    run = replace(full_run(), name=name, note=note, metrics=values)
    assert decode_run("run.json", through_json(encode_run(run, "/r"))) == run


@pytest.mark.parametrize("status", [Status.FAILED, Status.COMPLETED, Status.LOST, Status.TIMEBOXED, Status.STOPPED])
def test_an_ended_run_survives_a_round_trip(status: Status) -> None:
    outcome = Outcome(status=status, exit_code=None, signal="SIGKILL", reason="why", cause=CAUSE)
    run = finish_attempt(full_run(), outcome, now=2000.5, resume_from=None)
    again = decode_run("run.json", through_json(encode_run(run, "/r")))
    assert again == run
    assert public(again, "/r")["exit_code"] is None


def test_metrics_that_are_not_finite_are_strings_in_the_public_json() -> None:
    run = replace(queued(), metrics={"a": math.nan, "b": math.inf, "c": -math.inf})
    assert public(run, "/r")["metrics"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}


def test_a_record_of_another_version_is_refused_with_its_path() -> None:
    with pytest.raises(BrokenRecord, match=r"x/run\.json: schema_version 2"):
        decode_run("x/run.json", {**encode_run(queued(), "/r"), "schema_version": 2})


def test_a_verdict_of_a_newer_version_is_dropped() -> None:
    source = through_json(encode_run(full_run(), "/r"))
    source["resume_check"] = {"verdict": "wandered", "attempt": 2, "message": "m"}
    assert decode_run("run.json", source) == replace(full_run(), resume_check=None)


@given(
    junk=st.recursive(st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner))
)
def test_a_broken_record_is_reported_and_never_taken_for_a_run(junk: object) -> None:
    for field in ("id", "record", "attempts", "created_at"):
        broken = {**through_json(encode_run(full_run(), "/r")), field: junk}
        try:
            run = decode_run("run.json", broken)
        except BrokenRecord:
            continue
        assert isinstance(run, Run)


def live() -> Live:
    return Live(
        attempt=1,
        runner_pid=5,
        script_pid=6,
        clock=Clock(running_seconds=1.5, paused_seconds=2.5, mark=3.0, boot_id="b"),
        time=9.0,
        step=7,
        metrics={"loss": math.inf},
        checkpoints=(CHECKPOINT,),
        pause=Pause(since=1.0, by="heat", reason="hot"),
        attempt_log_offset=77,
        resume_check=RESUME_CHECK,
        pace=CheckpointPace(last_at=1.5, intervals=(2.0, 3.0), durations=(0.5,), growth_bytes=(-7, 9)),
        disk=DiskUse(mount="/data \udcff", free_bytes=10**12, save_bytes=5),
        disk_warning="disk 1 GB free",
        reached="step 10,000 reached",
        postponed=PostponedStop(status=Status.STOPPED, by="person", reason="r", since=8.5, deadline=9.5),
        stopping=Stopping(
            status=Status.TIMEBOXED, by="timebox", reason="r", since=1.0, stage=1, deadline=2.0, is_final=True
        ),
    )


def test_a_live_record_survives_a_round_trip() -> None:
    assert decode(Live, through_json(encode(live()))) == live()


def test_the_live_record_refines_the_status_of_its_own_attempt_only() -> None:
    run = running()
    assert displayed_status(run, live()) is Status.STOPPING
    assert displayed_status(run, replace(live(), stopping=None, postponed=None)) is Status.PAUSED
    assert displayed_status(run, replace(live(), attempt=2)) is Status.RUNNING
    paused = replace(live(), stopping=None, postponed=None)
    assert public(run, "/r", live=paused)["reason"] == "hot"


def test_a_run_that_waits_for_its_last_checkpoint_is_stopping() -> None:
    waiting = replace(live(), stopping=None)
    assert displayed_status(running(), waiting) is Status.STOPPING
    assert public(running(), "/r", live=waiting)["reason"] == "r, after its next checkpoint"


@pytest.mark.parametrize(
    "request_",
    [
        StopRequest(by="person", reason="r", kill=True, cause="memory_limit"),
        StopRequest(by="person", reason="r", after_checkpoint=True),
        PauseRequest(by="heat", reason="r"),
        ContinueRequest(by="ram", reason="r"),
        TimeboxRequest(max_run_seconds=None),
        EditRequest(name="n\udcff", tags=(), note="", priority=-1),
        EditRequest(thresholds=Thresholds(max_load_per_core=0.0, min_free_ram_bytes=1)),
        NoticeRequest(message="m"),
    ],
)
def test_a_request_survives_a_round_trip(request_: Request) -> None:
    line = encode_request(request_)
    assert b"\n" not in line
    assert decode_request(line) == request_


@given(st.binary(max_size=60))
def test_a_line_that_is_not_a_request_is_skipped(line: bytes) -> None:
    assert decode_request(line) is None


def test_tags_in_files_are_fixed_whatever_the_classes_are_called() -> None:
    assert {Queued: "queued", Starting: "starting", Running: "running", Ended: "ended"} == STATE_TAGS
    assert {
        StopRequest: "stop",
        PauseRequest: "pause",
        ContinueRequest: "continue",
        TimeboxRequest: "timebox",
        EditRequest: "edit",
        NoticeRequest: "tell",
    } == REQUEST_TAGS


def test_a_missing_field_takes_its_default_and_an_unknown_one_is_ignored() -> None:
    assert decode(Peak, {"ram_bytes": 7, "later": 1}) == Peak(ram_bytes=7)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": 5}, "path must be a string, not 5"),
        ({"path": "a", "step": "7"}, "step must be a number, not '7'"),
        ({"path": "a", "step": math.inf}, "step must be a finite number of at most 19 digits, not inf"),
        ({"path": "a", "saved_at": "yesterday"}, "saved_at: Invalid isoformat string: 'yesterday'"),
        ({"path": "a"}, "saved_at must be a string, not None"),
    ],
)
def test_a_wrong_field_is_named(source: dict[str, object], message: str) -> None:
    with pytest.raises(WrongField) as raised:
        decode(Checkpoint, source)
    assert str(raised.value) == message


def test_a_live_record_with_an_unknown_status_is_refused() -> None:
    source = through_json(encode(live()))
    source["stopping"] = {**through_json(source["stopping"]), "status": "wandering"}
    with pytest.raises(WrongField, match="status: 'wandering'"):
        decode(Live, source)


def test_a_record_of_an_earlier_version_gets_its_objective() -> None:
    run = replace(
        full_run(),
        spec=replace(full_run().spec, objective=None),
        metrics={"loss": 0.5, "val_acc": 0.7},
        best={"loss": Extreme(0.1, 3), "val_acc": Extreme(0.75, 4)},
    )
    written: Any = {name: value for name, value in through_json(encode_run(run, "/r")).items() if name != "objective"}
    del written["record"]["spec"]["objective"]
    expected = {"metric": "val_acc", "direction": "max", "best": 0.75, "best_step": 4, "last": 0.7}
    assert with_objective(written)["objective"] == {**expected, "source": "validation"}
    assert "loss" not in with_objective(written)["best"], "the lowest loss was not smoothed"
    assert decode_run("run.json", written).best == {"val_acc": Extreme(0.75, 4)}


def test_an_objective_without_a_known_direction_has_no_best() -> None:
    run = replace(full_run(), spec=replace(full_run().spec, objective=None), metrics={"score": 3.0})
    expected = {"metric": "score", "direction": None, "best": None, "best_step": None, "last": 3.0}
    assert public(run, "/r")["objective"] == {**expected, "source": "training"}
    never_printed = replace(full_run(), spec=replace(full_run().spec, objective=parse_objective("wer")), metrics={})
    expected = {"metric": "wer", "direction": "min", "best": None, "best_step": None, "last": None}
    assert public(never_printed, "/r")["objective"] == {**expected, "source": "option"}
    assert public(replace(run, metrics={"lr": 0.1}), "/r")["objective"] is None


def test_the_live_record_keeps_the_curves_that_are_smoothed() -> None:
    tracker = BestTracker({}, {}, None)
    for step in range(200):
        tracker.update({"loss": 1.0 / (step + 1), "val_loss": 2.0}, step)
    written: Any = through_json(encode(replace(live(), **tracker.fields())))
    assert len(written["curves"]["loss"]["points"]) == 50
    assert through_json(encode(decode(Live, written))) == written
    after: Any = through_json(encode(replace(live(), curves={"loss": tracker.curves["loss"].after_hole()})))
    assert after["curves"]["loss"]["earlier"][0]["step"] == 199
    assert through_json(encode(decode(Live, after))) == after
